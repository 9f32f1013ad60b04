package migrate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// absorb takes into a record's status what its Jobs have come to. A Job that the
// status does not tell of was started by a controller that ended before it could
// write that down; one that is gone is started anew.
func (p *planner) absorb(record *v1alpha1.PluginMigration) {
	status := &record.Status
	var job *Job
	for i := range p.Jobs {
		if p.Jobs[i].Record == record.Name && (job == nil || p.Jobs[i].Attempt > job.Attempt) {
			job = &p.Jobs[i]
		}
	}
	switch {
	case job != nil && job.Attempt > status.Attempts:
		started(status, job.Name, job.Step, job.Attempt, p.Now)
	case job == nil || job.Attempt < status.Attempts:
		switch status.Phase {
		case v1alpha1.Migrating:
			status.Phase = v1alpha1.Waiting
		case v1alpha1.Finishing:
			status.Phase = v1alpha1.Migrated
		}
	}
	if status.Phase != v1alpha1.Migrating && status.Phase != v1alpha1.Finishing || job == nil {
		return
	}
	if job.Done {
		p.ended(record, job)
		return
	}
	say(status, p.Now, v1alpha1.ReasonRunning, fmt.Sprintf("Job %q runs \"kong migrations %s\"", job.Name, job.Step))
	if job.Waits != "" {
		say(status, p.Now, v1alpha1.ReasonRunning, fmt.Sprintf("Job %q cannot run yet: %s", job.Name, job.Waits))
	}
}

// Started is a record's status when a Job of it has been started.
func Started(status *v1alpha1.PluginMigrationStatus, start Start, job string, now metav1.Time) {
	started(status, job, start.Step, start.Attempt, now)
}

// started is a status of which a Job has been started.
func started(status *v1alpha1.PluginMigrationStatus, job string, step Step, attempt int32, now metav1.Time) {
	status.Phase = v1alpha1.Migrating
	if step == Finish {
		status.Phase = v1alpha1.Finishing
	}
	status.Job, status.Attempts, status.StartTime, status.RetryTime, status.LastWords = job, attempt, &now, nil, ""
	say(status, now, v1alpha1.ReasonRunning, fmt.Sprintf("Job %q runs \"kong migrations %s\"", job, step))
}

// ended takes over what a Job came to.
func (p *planner) ended(record *v1alpha1.PluginMigration, job *Job) {
	status, result := &record.Status, job.Result
	back := v1alpha1.Waiting
	if job.Step == Finish {
		back = v1alpha1.Migrated
	}
	switch {
	case result.Outcome == Done || result.Outcome == Pending && job.Step == Up:
		status.Blocked, status.Pending = nil, nil
		if result.Outcome == Pending {
			status.Pending = slices.Clone(result.Lines)
		}
		p.migrated(record)
		p.seen(record, result.Lines)
	case result.Outcome == Blocked && job.Step == Finish:
		status.Phase, status.Pending = back, slices.Clone(result.Lines) // there are more than there were
	case result.Outcome == Blocked:
		status.Phase, status.Blocked = back, slices.Clone(result.Lines)
		say(status, p.Now, v1alpha1.ReasonPendingFirst, "migrations are pending that have to be finished first: "+oneLine(strings.Join(result.Lines, "; ")))
		if p.mode(record) != annotations.MigrationsAuto {
			retry := metav1.NewTime(p.Now.Add(backoff(status.Attempts))) // a person will have finished them
			status.RetryTime = &retry
		}
	case result.Outcome == Deadline:
		status.Phase, status.LastWords = back, result.words()
		retry := metav1.NewTime(p.Now.Add(backoff(status.Attempts)))
		status.RetryTime = &retry
		say(status, p.Now, v1alpha1.ReasonUnreachable, fmt.Sprintf("Job %q gave up and is tried again at %s: %s",
			job.Name, retry.UTC().Format(time.TimeOnly), oneLine(result.words())))
	default:
		p.failed(record, job)
	}
}

// backoff is how long is waited after so many attempts.
func backoff(attempts int32) time.Duration {
	return min(10*time.Second<<max(min(attempts-1, 10), 0), 5*time.Minute)
}

func (p *planner) failed(record *v1alpha1.PluginMigration, job *Job) {
	status, result := &record.Status, job.Result
	status.Phase, status.LastWords = v1alpha1.Failed, result.words()
	wayOut := fmt.Sprintf("mend it, then \"kubectl delete pluginmigration %s\" tries again", record.Name)
	if result.Outcome == Unlisted {
		say(status, p.Now, v1alpha1.ReasonNotListed, fmt.Sprintf("Job %q: Kong does not see %s: are the plugin's files where the container looks for them? %s",
			job.Name, oneLine(result.words()), wayOut))
		return
	}
	words := oneLine(result.words())
	if words == "" {
		words = "it ended without a word, see its pods"
	}
	say(status, p.Now, v1alpha1.ReasonJobFailed, fmt.Sprintf("Job %q: %s; %s", job.Name, words, wayOut))
}

// migrated marks a record of which Kong has named every migration.
func (p *planner) migrated(record *v1alpha1.PluginMigration) {
	status := &record.Status
	if !isMigrated(record) {
		status.MigratedTime = &p.Now
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
		Message: "Kong lists every migration as executed or pending", ObservedGeneration: record.Generation, LastTransitionTime: p.Now,
	})
	status.Phase = v1alpha1.Migrated
	if len(status.Pending) == 0 {
		status.Phase, status.FinishedTime, status.Message = v1alpha1.Finished, &p.Now, ""
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionFinished, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
			Message: "no migration is pending", ObservedGeneration: record.Generation, LastTransitionTime: p.Now,
		})
	}
}

// seen takes from other records what Kong does not list as pending any more, for
// a person, or somebody's Job, has finished it: as far as Kong looked at the
// same migrations.
func (p *planner) seen(record *v1alpha1.PluginMigration, pending []string) {
	for _, other := range p.records {
		if other == record || !isMigrated(other) || len(other.Status.Pending) == 0 {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(other.Status.Pending), func(line string) bool {
			plugin, names, _ := strings.Cut(line, ": ")
			at := slices.IndexFunc(record.Spec.Plugins, func(own v1alpha1.PluginMigrations) bool { return own.Name == plugin })
			return at >= 0 && !slices.Contains(pending, line) && p.hasAll(record.Spec.Plugins[at], other, strings.Split(names, ", "))
		})
		if len(left) == 0 {
			other.Status.Pending = nil
			p.migrated(other)
		}
	}
}

func isMigrated(record *v1alpha1.PluginMigration) bool {
	return meta.IsStatusConditionTrue(record.Status.Conditions, v1alpha1.ConditionMigrated)
}

// IsMigrated reports whether pods that need the record may start.
func IsMigrated(record *v1alpha1.PluginMigration) bool { return isMigrated(record) }

// say tells what a record waits for, or what is wrong: as its message, and as
// the reason of the condition that is not true yet.
func say(status *v1alpha1.PluginMigrationStatus, now metav1.Time, reason, message string) {
	status.Message = message
	condition := v1alpha1.ConditionMigrated
	if meta.IsStatusConditionTrue(status.Conditions, condition) {
		condition = v1alpha1.ConditionFinished
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: condition, Status: metav1.ConditionFalse, Reason: reason, Message: message, LastTransitionTime: now,
	})
}
