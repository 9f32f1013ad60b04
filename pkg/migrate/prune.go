package migrate

import "kongdao.io/kongdao/pkg/apis/v1alpha1"

// prune plans to delete the oldest migrations that no pod requires, until HistoryLimit of them remain.
func (p *planner) prune() {
	var unused []*v1alpha1.PluginMigration
	for _, migration := range p.migrations {
		if len(p.requiring[migration.Name]) == 0 && p.canDelete(migration) {
			unused = append(unused, migration)
		}
	}
	for _, migration := range unused[:max(len(unused)-p.HistoryLimit, 0)] {
		p.plan.Prune = append(p.plan.Prune, migration.Name)
		delete(p.plan.StatusUpdates, migration.Name)
	}
}

// canDelete reports whether nothing is lost if a migration is deleted. No Job of it may run, and nothing may be
// pending. If it was migrated, a later one must know which files Kong executed.
func (p *planner) canDelete(migration *v1alpha1.PluginMigration) bool {
	phase := migration.Status.Phase
	if phase == v1alpha1.PhaseMigrating || phase == v1alpha1.PhaseFinishing || len(migration.Status.Pending) > 0 ||
		p.plan.StartJob != nil && p.plan.StartJob.Migration == migration.Name {
		return false
	}
	if !IsMigrated(migration) {
		return true
	}
	for _, plugin := range migration.Spec.Plugins {
		for _, file := range plugin.Migrations {
			if p.lastMigratedWith(plugin.Name, file.Name) == migration {
				return false
			}
		}
	}
	return true
}
