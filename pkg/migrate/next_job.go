package migrate

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// nextJob is the Job that a migration needs next, or what it waits for.
type nextJob struct {
	// start is the Job to start. It is nil while the migration waits.
	start *JobStart
	// phase is the phase until the Job starts.
	phase v1alpha1.Phase
	// blocker says what the migration waits for. If it is nil, the message of the status stays as it is.
	blocker *blocker
	// retryAt is when the next Job may start. It is nil if this does not depend on the time.
	retryAt *metav1.Time
}

// blocker is what prevents a Job from starting.
type blocker struct {
	// reason and message are those of the status.
	reason, message string
}

// planNextJob plans to start the next Job of a migration, or updates its status with what it waits for.
func (p *planner) planNextJob(migration *v1alpha1.PluginMigration) {
	status := &migration.Status
	var next nextJob
	switch phase := status.Phase; {
	case IsMigrated(migration) && phase == v1alpha1.PhaseMigrated && len(status.Pending) > 0:
		next = p.nextFinish(migration)
	case !IsMigrated(migration) && (phase == "" || phase == v1alpha1.PhaseWaiting || phase == v1alpha1.PhaseHeld):
		next = p.nextUp(migration)
	default:
		return
	}
	if p.Excluded {
		next.start, next.blocker = nil, &blocker{v1alpha1.ReasonNamespaceExcluded, fmt.Sprintf(
			"kongdao does not work in namespace %q: its installation excludes the namespace", p.Namespace)}
	}
	if next.start != nil {
		if other := p.otherJob(); other != nil {
			next.start, next.blocker = nil, other
		} else if next.start.Step == stepFinish && !IsMigrated(p.stored(migration)) {
			// The API server must know that "up" succeeded before "finish" starts: a controller that restarts between
			// the two would otherwise run "up" again.
			next.start = nil
		}
	}
	status.Phase = next.phase
	if next.start != nil {
		next.start.Attempt = status.Attempts + 1
		p.plan.StartJob = next.start
	}
	if next.blocker != nil {
		setMessage(status, p.Now, next.blocker.reason, next.blocker.message)
	}
	if next.retryAt != nil {
		p.requeueAt(*next.retryAt)
	}
}

// otherJob returns the Job that already uses the database, as a blocker. Only one Job uses a database at a time.
func (p *planner) otherJob() *blocker {
	switch {
	case p.activeJob != "":
		return &blocker{v1alpha1.ReasonOtherJobRunning, p.activeJob + " uses the same database"}
	case p.plan.StartJob != nil:
		return &blocker{v1alpha1.ReasonOtherJobRunning,
			fmt.Sprintf("PluginMigration %q runs first on the same database", p.plan.StartJob.Migration)}
	default:
		return nil
	}
}

// nextUp returns the next Job of a migration that is not migrated: `kong migrations up`.
func (p *planner) nextUp(migration *v1alpha1.PluginMigration) nextJob {
	status := &migration.Status
	if value := migration.Annotations[annotations.Migrations]; value == string(annotations.MigrationsOff) {
		return nextJob{phase: v1alpha1.PhaseHeld, blocker: &blocker{v1alpha1.ReasonOnHold, fmt.Sprintf(
			"A person holds this migration with annotation %s. To let kongdao run it, run %q", annotations.Migrations,
			fmt.Sprintf("kubectl annotate pluginmigration %s -n %s %s-", migration.Name, migration.Namespace,
				annotations.Migrations))}}
	}
	if edited := p.editedFiles(migration); len(edited) > 0 && migration.Annotations[annotations.AcceptEdited] != "true" {
		return nextJob{phase: v1alpha1.PhaseHeld, blocker: &blocker{v1alpha1.ReasonEditedMigration, fmt.Sprintf(
			"%s. Kong never runs a migration twice: restore the file, or add a new migration. "+
				"If the change has no effect, run %q",
			strings.Join(edited, ". "), annotateCommand(migration, annotations.AcceptEdited, "true"))}}
	}
	next := nextJob{phase: v1alpha1.PhaseWaiting}
	from, missing := p.podToMigrateWith(migration)
	if from == nil {
		next.blocker = missing
		return next
	}
	if status.RetryTime != nil && p.Now.Before(status.RetryTime) {
		next.retryAt = status.RetryTime
		return next
	}
	start := JobStart{Migration: migration.Name, Step: stepUp, Finish: finishNone, From: *from}
	if p.mode(migration) == annotations.MigrationsAuto {
		start.Finish, start.Pending, next.blocker = p.finishBeforeUp(migration)
	}
	if next.blocker == nil {
		next.start = &start
	}
	return next
}

// podToMigrateWith returns the newest pod whose container can run "up", or why there is none. The newest one has the
// present template of its workload, which may fix an older one.
func (p *planner) podToMigrateWith(migration *v1alpha1.PluginMigration) (*Pod, *blocker) {
	var unusable []string
	var newest *Pod
	for _, pod := range p.requiring[migration.Name] {
		switch {
		case pod.Ending:
		case pod.Unusable != "":
			unusable = append(unusable, fmt.Sprintf("Pod %q: %s", pod.key(), pod.Unusable))
		case newest == nil || newest.Created.Before(&pod.Created):
			newest = pod
		}
	}
	if newest != nil {
		return newest, nil
	}
	message := "No pod requires this migration"
	if len(unusable) > 0 {
		message = "No Job can be made from the pods that require this migration. " + oneLine(strings.Join(unusable, ". "))
	}
	return nil, &blocker{v1alpha1.ReasonNoPods, message}
}

// finishBeforeUp returns which pending migrations the "up" Job of a migration may finish first, or why the Job must
// wait. Kong does not run "up" while migrations are pending (fact K11).
func (p *planner) finishBeforeUp(migration *v1alpha1.PluginMigration) (FinishMode, []string, *blocker) {
	if other := p.otherUnfinished(migration); other != nil {
		message := cmp.Or(other.Status.Message, "Pending: "+joinLines(other.Status.Pending))
		return finishNone, nil, &blocker{v1alpha1.ReasonPendingMigrations,
			fmt.Sprintf("PluginMigration %q must be finished first. %s", other.Name, message)}
	}
	if len(p.running) == 0 {
		// No Kong runs that could need what "finish" removes. An interrupted bootstrap leaves migrations of Kong itself
		// pending (fact K31).
		return finishAll, nil, nil
	}
	blockedBy := migration.Status.BlockedBy
	if len(blockedBy) == 0 {
		return finishNone, nil, nil
	}
	_, cannot := p.canFinish(migration, blockedBy)
	if cannot == nil {
		cannot = p.waitToFinish(migration)
	}
	if cannot != nil {
		return finishNone, nil, &blocker{cannot.reason, fmt.Sprintf(
			"Pending migrations must be finished first: %s. %s", joinLines(blockedBy), cannot.message)}
	}
	return finishNamed, blockedBy, nil
}

// nextFinish returns the next Job of a migration that is migrated and has pending migrations: `kong migrations finish`.
func (p *planner) nextFinish(migration *v1alpha1.PluginMigration) nextJob {
	status := &migration.Status
	next := nextJob{phase: v1alpha1.PhaseMigrated}
	if status.RetryTime != nil && p.Now.Before(status.RetryTime) {
		next.retryAt = status.RetryTime
		return next
	}
	wait := func(reason, message string) nextJob {
		next.blocker = &blocker{reason, "Pending: " + joinLines(status.Pending) + ". " + message}
		return next
	}
	if p.mode(migration) != annotations.MigrationsAuto {
		return wait(v1alpha1.ReasonManualFinish, fmt.Sprintf(
			"Because of annotation %s, kongdao does not run \"kong migrations finish\". To let kongdao run it, run %q",
			annotations.Migrations, annotateCommand(migration, annotations.Migrations, string(annotations.MigrationsAuto))))
	}
	from, cannot := p.canFinish(migration, status.Pending)
	if cannot == nil {
		cannot = p.waitToFinish(migration)
	}
	if cannot != nil {
		return wait(cannot.reason, cannot.message)
	}
	next.start = &JobStart{
		Migration: migration.Name, Step: stepFinish, Finish: finishNamed, Pending: status.Pending, From: *from,
	}
	return next
}

// mode returns who may run `kong migrations finish`. The annotation of the migration counts first, then the strictest
// annotation of its pods.
func (p *planner) mode(migration *v1alpha1.PluginMigration) annotations.MigrationsMode {
	if value, ok := migration.Annotations[annotations.Migrations]; ok {
		if mode, err := annotations.ParseMigrations(value); err == nil {
			return mode
		}
	}
	for _, pod := range p.requiring[migration.Name] {
		if pod.Unusable == "" && pod.Requirement.Mode == annotations.MigrationsUp {
			return annotations.MigrationsUp
		}
	}
	return annotations.MigrationsAuto
}

// otherUnfinished returns another migration that has pending migrations and so prevents every "up" on the database
// (fact K11). It ignores migrations that a person finishes: only Kong knows whether this has happened.
func (p *planner) otherUnfinished(migration *v1alpha1.PluginMigration) *v1alpha1.PluginMigration {
	for _, other := range p.migrations {
		if other.Name != migration.Name && IsMigrated(other) && len(other.Status.Pending) > 0 &&
			p.mode(other) == annotations.MigrationsAuto {
			return other
		}
	}
	return nil
}

// annotateCommand returns the command that annotates a migration.
func annotateCommand(migration *v1alpha1.PluginMigration, name, value string) string {
	return fmt.Sprintf("kubectl annotate pluginmigration %s -n %s %s=%s", migration.Name, migration.Namespace, name, value)
}
