package migrate

import "kongdao.io/kongdao/pkg/apis/v1alpha1"

// forget lets the oldest records go that no pod needs, down to so many: never
// one that is at work, has something pending, or alone knows from which file a
// migration was executed.
func (p *planner) forget() {
	var idle []*v1alpha1.PluginMigration
	for _, record := range p.records {
		if len(p.of(record)) == 0 && p.expendable(record) {
			idle = append(idle, record)
		}
	}
	for _, record := range idle[:max(len(idle)-p.History, 0)] {
		p.plan.Forget = append(p.plan.Forget, record.Name)
		delete(p.plan.Changes, record.Name)
	}
}

func (p *planner) expendable(record *v1alpha1.PluginMigration) bool {
	phase := record.Status.Phase
	if phase == v1alpha1.Migrating || phase == v1alpha1.Finishing || len(record.Status.Pending) > 0 ||
		p.plan.Start != nil && p.plan.Start.Record == record.Name {
		return false
	}
	if !isMigrated(record) {
		return true
	}
	for _, plugin := range record.Spec.Plugins {
		for _, migration := range plugin.Migrations {
			if p.lastWith(plugin.Name, migration.Name) == record {
				return false
			}
		}
	}
	return true
}
