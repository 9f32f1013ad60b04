package migrate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// observe updates the status of a migration from its last Job.
func (p *planner) observe(migration *v1alpha1.PluginMigration) {
	status := &migration.Status
	job := p.lastJob(migration)
	switch {
	case job != nil && job.Attempt > status.Attempts:
		// The controller stopped after it created the Job and before it wrote the status.
		setJobStarted(status, job.Name, job.Step, job.Attempt, p.Now)
	case job == nil || job.Attempt < status.Attempts:
		// The Job in the status was deleted: a new one starts.
		status.Phase = phaseWithoutJob(status.Phase)
	}
	switch {
	case job == nil || status.Phase != v1alpha1.PhaseMigrating && status.Phase != v1alpha1.PhaseFinishing:
	case job.Done:
		p.observeResult(migration, job)
	case job.Pod.Ended:
		ended := *job
		ended.Result = job.Pod.Result
		p.observeResult(migration, &ended)
	case job.Pod.Running:
		setMessage(status, p.Now, v1alpha1.ReasonJobRunning, withLastOutput(status,
			fmt.Sprintf("Job %q runs \"kong migrations %s\"", job.Name, job.Step)))
	case job.Pod.CannotStart != "":
		setMessage(status, p.Now, v1alpha1.ReasonCannotStart,
			fmt.Sprintf("The pod of Job %q cannot start: %s", job.Name, oneLine(job.Pod.CannotStart)))
	default:
		setMessage(status, p.Now, v1alpha1.ReasonJobStarting, withLastOutput(status, jobStartsMessage(job.Name)))
	}
}

// withLastOutput adds the output of the previous Job to a message, if that Job waited for the database.
func withLastOutput(status *v1alpha1.PluginMigrationStatus, message string) string {
	if status.LastOutput == "" {
		return message
	}
	return message + ". The previous Job waited: " + oneLine(status.LastOutput)
}

// lastJob returns the Job of a migration with the most attempts. It returns nil if the migration has no Job.
func (p *planner) lastJob(migration *v1alpha1.PluginMigration) *Job {
	var last *Job
	for i := range p.Jobs {
		if job := &p.Jobs[i]; job.Migration == migration.Name && (last == nil || job.Attempt > last.Attempt) {
			last = job
		}
	}
	return last
}

// phaseWithoutJob returns the phase in which the next Job can start.
func phaseWithoutJob(phase v1alpha1.Phase) v1alpha1.Phase {
	switch phase {
	case v1alpha1.PhaseMigrating:
		return v1alpha1.PhaseWaiting
	case v1alpha1.PhaseFinishing:
		return v1alpha1.PhaseMigrated
	default:
		return phase
	}
}

// observeResult updates the status of a migration from the result of a Job that is done.
func (p *planner) observeResult(migration *v1alpha1.PluginMigration, job *Job) {
	status, next := &migration.Status, transitionFor(job.Step, job.Result.outcome)
	if next.verified {
		status.BlockedBy, status.Pending = nil, nil
	}
	switch next.lines {
	case fieldNone:
	case fieldPending:
		status.Pending = slices.Clone(job.Result.lines)
	case fieldBlockedBy:
		status.BlockedBy = slices.Clone(job.Result.lines)
	case fieldLastOutput:
		status.LastOutput = job.Result.output()
	}
	if next.verified {
		setMigrated(status, p.Now)
		p.observePending(migration)
		return
	}
	status.Phase = next.phase
	if delay := p.retryDelay(migration, next.retry); delay > 0 {
		retry := metav1.NewTime(p.Now.Add(delay))
		status.RetryTime = &retry
	}
	if next.reason != "" {
		setMessage(status, p.Now, next.reason, jobEndedMessage(migration, job, next.reason))
	}
}

// retryDelay returns how long the next Job of a migration waits.
func (p *planner) retryDelay(migration *v1alpha1.PluginMigration, policy retryPolicy) time.Duration {
	switch {
	case policy == retrySoon:
		return minBackoff
	case policy == retryAfterBackoff,
		policy == retryAfterBackoffIfManual && p.mode(migration) != annotations.MigrationsAuto:
		return backoff(migration.Status.Attempts)
	default:
		return 0
	}
}

// observePending updates other migrations whose pending migrations Kong no longer lists as pending: a person or another
// Job has finished them. This applies only if Kong has just listed the same migrations.
func (p *planner) observePending(listed *v1alpha1.PluginMigration) {
	for _, other := range p.migrations {
		if other == listed || !IsMigrated(other) || len(other.Status.Pending) == 0 {
			continue
		}
		stillPending := slices.ContainsFunc(other.Status.Pending, func(line string) bool {
			plugin, names, _ := strings.Cut(line, ": ")
			at := slices.IndexFunc(listed.Spec.Plugins, func(own v1alpha1.PluginMigrations) bool { return own.Name == plugin })
			return at < 0 || slices.Contains(listed.Status.Pending, line) ||
				!hasMigrations(listed.Spec.Plugins[at], other, strings.Split(names, ", "))
		})
		if !stillPending {
			other.Status.Pending = nil
			setMigrated(&other.Status, p.Now)
		}
	}
}
