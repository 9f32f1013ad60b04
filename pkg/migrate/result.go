package migrate

import (
	"slices"
	"strings"
)

// jobOutcome is the word with which the script of a Job reports how it ended.
type jobOutcome string

// The outcomes.
const (
	// outcomeDone: Kong lists every migration as executed, and nothing is pending.
	outcomeDone jobOutcome = "done"
	// outcomePending: Kong lists every migration. The lines of the result are pending.
	outcomePending jobOutcome = "pending"
	// outcomeBlocked: the lines of the result are pending, and the Job may not finish them.
	outcomeBlocked jobOutcome = "blocked"
	// outcomeDeadline: the database did not answer, or another runner held its lock, until the deadline.
	outcomeDeadline jobOutcome = "deadline"
	// outcomeUnlisted: Kong does not list the migrations in the lines of the result.
	outcomeUnlisted jobOutcome = "unlisted"
	// outcomeFailed: the Kong command failed several times.
	outcomeFailed jobOutcome = "failed"
	// outcomeEmpty: the database was never bootstrapped, so there is nothing to finish.
	outcomeEmpty jobOutcome = "empty"
	// outcomeStopped: the pod received a signal to stop.
	outcomeStopped jobOutcome = "stopped"
	// outcomeUnloadable: Kong cannot load the plugins. The database is untouched.
	outcomeUnloadable jobOutcome = "unloadable"
	// outcomeLost: the Job is complete, but its pod with the result is gone.
	outcomeLost jobOutcome = "lost"
	// outcomeUnknown: the script reported nothing.
	outcomeUnknown jobOutcome = ""
)

// reportedOutcomes returns the outcomes that the script can report.
func reportedOutcomes() []jobOutcome {
	return []jobOutcome{
		outcomeDone, outcomePending, outcomeBlocked, outcomeDeadline,
		outcomeUnlisted, outcomeFailed, outcomeEmpty, outcomeStopped, outcomeUnloadable,
	}
}

// Result is how a Job ended.
type Result struct {
	outcome jobOutcome
	// lines are migrations, one line for each plugin, or the last output of Kong.
	lines []string
}

// ParseResult reads the termination message of a Job's container. It accepts any text.
func ParseResult(message string) Result {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	if outcome := jobOutcome(lines[0]); slices.Contains(reportedOutcomes(), outcome) {
		return Result{outcome, lines[1:]}
	}
	// The script wrote nothing. The kubelet then takes the end of the log, or the controller another message.
	return Result{outcomeUnknown, lines}
}

// LostResult is the result of a complete Job whose pod is gone, for example because its node was removed.
func LostResult() Result { return Result{outcome: outcomeLost} }

// output returns the lines as one text.
func (r Result) output() string { return strings.TrimSpace(strings.Join(r.lines, "\n")) }
