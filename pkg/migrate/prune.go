package migrate

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// stalledTTL is how long a migration stays that failed or is held, and that no pod requires. An alert reports it until
// then.
const stalledTTL = time.Hour

// prune plans to delete the migrations of an abandoned database, and migrations that failed or are held and that no pod
// requires. Of the others that no pod requires, HistoryLimit remain.
func (p *planner) prune() {
	var unused []*v1alpha1.PluginMigration
	for _, migration := range p.migrations {
		switch {
		case p.isAbandoned(migration), p.isStalledAndUnused(migration):
			p.pruneMigration(migration)
		case len(p.requiring[migration.Name]) == 0 && p.canDelete(migration):
			unused = append(unused, migration)
		}
	}
	for _, migration := range unused[:max(len(unused)-p.HistoryLimit, 0)] {
		p.pruneMigration(migration)
	}
}

func (p *planner) pruneMigration(migration *v1alpha1.PluginMigration) {
	p.plan.Prune = append(p.plan.Prune, migration.Name)
	delete(p.plan.StatusUpdates, migration.Name)
}

// canDelete reports whether nothing is lost if a migration is deleted. If it was migrated, a later one must know which
// files Kong executed.
func (p *planner) canDelete(migration *v1alpha1.PluginMigration) bool {
	if !p.isIdle(migration) {
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

// isIdle reports whether no Job of a migration runs, and nothing is pending.
func (p *planner) isIdle(migration *v1alpha1.PluginMigration) bool {
	phase := migration.Status.Phase
	return phase != v1alpha1.PhaseMigrating && phase != v1alpha1.PhaseFinishing && len(migration.Status.Pending) == 0 &&
		(p.plan.StartJob == nil || p.plan.StartJob.Migration != migration.Name)
}

// isAbandoned reports whether a migration has not changed for AbandonedAfter, and no pod of the namespace uses the
// database. The controller then no longer needs to know which files Kong executed. If pods come back, a new Job finds
// that they were executed.
func (p *planner) isAbandoned(migration *v1alpha1.PluginMigration) bool {
	if p.AbandonedAfter == 0 || p.used || !p.isIdle(migration) {
		return false
	}
	at := lastChange(p.stored(migration)).Add(p.AbandonedAfter)
	if p.Now.Time.Before(at) {
		p.requeueAt(metav1.NewTime(at))
		return false
	}
	return true
}

// isStalledAndUnused reports whether a migration that failed or is held has not changed for long, and no pod requires
// it.
func (p *planner) isStalledAndUnused(migration *v1alpha1.PluginMigration) bool {
	if !p.isUnusedStalled(migration) {
		return false
	}
	at := lastChange(p.stored(migration)).Add(stalledTTL)
	if p.Now.Time.Before(at) {
		p.requeueAt(metav1.NewTime(at))
		return false
	}
	return true
}

// isUnusedStalled reports whether a migration failed or is held before it was migrated, and no pod requires it.
func (p *planner) isUnusedStalled(migration *v1alpha1.PluginMigration) bool {
	phase := migration.Status.Phase
	return (phase == v1alpha1.PhaseFailed || phase == v1alpha1.PhaseHeld) && !IsMigrated(migration) &&
		len(p.requiring[migration.Name]) == 0
}

const unusedPrefix = "No pod requires this migration. "

// markUnused begins the message of migrations that failed or are held with a note if no pod requires them.
func (p *planner) markUnused() {
	for _, migration := range p.migrations {
		message, isMarked := strings.CutPrefix(migration.Status.Message, unusedPrefix)
		switch isUnused := p.isUnusedStalled(migration); {
		case isUnused && !isMarked:
			setMessage(&migration.Status, p.Now, progressReason(&migration.Status), unusedPrefix+message)
		case !isUnused && isMarked:
			setMessage(&migration.Status, p.Now, progressReason(&migration.Status), message)
		}
	}
}

// lastChange returns when a migration was created, or when its status last changed in more than messages.
func lastChange(migration *v1alpha1.PluginMigration) time.Time {
	last := migration.CreationTimestamp.Time
	status := &migration.Status
	for _, at := range []*metav1.Time{status.StartTime, status.MigratedTime, status.FinishedTime, status.RetryTime} {
		if at != nil && at.After(last) {
			last = at.Time
		}
	}
	for i := range status.Conditions {
		if at := status.Conditions[i].LastTransitionTime.Time; at.After(last) {
			last = at
		}
	}
	return last
}
