package migrate

import (
	"fmt"
	"strings"
	"time"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// transition is what a Job that ended does to the status of its PluginMigration.
type transition struct {
	// verified: Kong lists every migration. The next phase is Migrated, or Finished if nothing is pending. The other
	// fields then do not count, except lines.
	verified bool
	// phase is the next phase.
	phase v1alpha1.Phase
	// lines is the status field that gets the lines of the result.
	lines statusField
	// retry says when the next Job may start.
	retry retryPolicy
	// reason is the reason of the condition that is not True yet. If empty, reason and message stay as they are.
	reason string
}

// statusField is a field of a PluginMigrationStatus.
type statusField int

const (
	fieldNone statusField = iota
	fieldPending
	fieldBlockedBy
	fieldLastOutput
)

// retryPolicy says when the next Job of a PluginMigration may start.
type retryPolicy int

const (
	// retryWhenPossible: as soon as nothing else prevents it. After phase Failed there is no next Job.
	retryWhenPossible retryPolicy = iota
	// retryAfterBackoff: after a time that grows with the number of attempts.
	retryAfterBackoff
	// retrySoon: after a short time, because the Job itself has waited.
	retrySoon
	// retryAfterBackoffIfManual: as retryAfterBackoff, if a person runs `kong migrations finish`. Only Kong knows when
	// this has happened.
	retryAfterBackoffIfManual
)

// transitionFor returns the transition for a step and an outcome. Every other pair fails the migration.
func transitionFor(step Step, outcome jobOutcome) transition {
	finished := transition{verified: true}
	failed := transition{
		phase: v1alpha1.PhaseFailed, lines: fieldLastOutput, reason: v1alpha1.ReasonJobFailed,
	}
	notListed := transition{
		phase: v1alpha1.PhaseFailed, lines: fieldLastOutput, reason: v1alpha1.ReasonMigrationsNotListed,
	}
	unloadable := transition{
		phase: v1alpha1.PhaseFailed, lines: fieldLastOutput, reason: v1alpha1.ReasonPluginNotLoadable,
	}
	table := map[Step]map[jobOutcome]transition{
		stepUp: {
			outcomeDone:    finished,
			outcomePending: {verified: true, lines: fieldPending},
			outcomeBlocked: {
				phase: v1alpha1.PhaseWaiting, lines: fieldBlockedBy, retry: retryAfterBackoffIfManual,
				reason: v1alpha1.ReasonPendingMigrations,
			},
			outcomeDeadline: {
				phase: v1alpha1.PhaseWaiting, lines: fieldLastOutput, retry: retrySoon,
				reason: v1alpha1.ReasonDatabaseUnreachable,
			},
			outcomeUnlisted:   notListed,
			outcomeFailed:     failed,
			outcomeEmpty:      failed,
			outcomeUnloadable: unloadable,
			outcomeStopped:    failed,
			outcomeUnknown:    failed,
			// The next Job lists the migrations again.
			outcomeLost: {phase: v1alpha1.PhaseWaiting, retry: retryAfterBackoff, reason: v1alpha1.ReasonResultLost},
		},
		stepFinish: {
			outcomeDone:    finished,
			outcomePending: failed, // a Job that may not finish what is pending reports outcomeBlocked
			// More migrations are pending than before. The next plan decides about all of them.
			outcomeBlocked: {phase: v1alpha1.PhaseMigrated, lines: fieldPending, retry: retryWhenPossible},
			outcomeDeadline: {
				phase: v1alpha1.PhaseMigrated, lines: fieldLastOutput, retry: retrySoon,
				reason: v1alpha1.ReasonDatabaseUnreachable,
			},
			outcomeUnlisted:   notListed,
			outcomeFailed:     failed,
			outcomeEmpty:      failed,
			outcomeUnloadable: unloadable,
			outcomeStopped:    failed,
			outcomeUnknown:    failed,
			outcomeLost:       {phase: v1alpha1.PhaseMigrated, retry: retryAfterBackoff, reason: v1alpha1.ReasonResultLost},
		},
	}
	if next, ok := table[step][outcome]; ok {
		return next
	}
	return failed
}

// The first retry starts after minBackoff. Each further one waits twice as long, up to maxBackoff.
const (
	minBackoff = 10 * time.Second
	maxBackoff = 5 * time.Minute
	// maxDoublings limits exponents. More would overflow, and are above all limits.
	maxDoublings = 10
)

// backoff returns how long to wait after a number of attempts.
func backoff(attempts int32) time.Duration {
	return min(minBackoff<<max(min(attempts-1, maxDoublings), 0), maxBackoff)
}

// jobEndedMessage returns the message for a Job that ended with a reason.
func jobEndedMessage(migration *v1alpha1.PluginMigration, job *Job, reason string) string {
	output := oneLine(job.Result.output())
	retry := fmt.Sprintf("run \"kubectl delete pluginmigration %s -n %s\" to try again",
		migration.Name, migration.Namespace)
	retryTime := ""
	if migration.Status.RetryTime != nil {
		retryTime = migration.Status.RetryTime.UTC().Format(time.TimeOnly)
	}
	switch reason {
	case v1alpha1.ReasonPendingMigrations:
		return "Pending migrations must be finished first: " + joinLines(job.Result.lines)
	case v1alpha1.ReasonDatabaseUnreachable:
		return fmt.Sprintf("Job %q waited for the database. The next Job starts at %s and waits longer. Last output: %s",
			job.Name, retryTime, output)
	case v1alpha1.ReasonResultLost:
		return fmt.Sprintf("Job %q is complete, but its pod with the result was deleted. The next Job starts at %s and "+
			"checks the migrations again", job.Name, retryTime)
	case v1alpha1.ReasonPluginNotLoadable:
		return fmt.Sprintf("Job %q: Kong cannot load the plugins, so no migration ran: %s. Fix the plugin, then %s",
			job.Name, output, retry)
	case v1alpha1.ReasonMigrationsNotListed:
		return fmt.Sprintf("Job %q: Kong does not list %s. Check that the container finds the files of the plugin, then %s",
			job.Name, output, retry)
	}
	if output == "" {
		output = "no output, see the logs of its pods"
	}
	return fmt.Sprintf("Job %q failed: %s. Fix the cause, then %s", job.Name, output, retry)
}

// joinLines returns lines as a part of a sentence.
func joinLines(lines []string) string { return oneLine(strings.Join(lines, "; ")) }

// oneLine returns a text as a part of a sentence. It shortens long texts.
func oneLine(text string) string {
	const maxLength = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxLength {
		text = strings.ToValidUTF8(text[:maxLength], "") + "..."
	}
	return text
}
