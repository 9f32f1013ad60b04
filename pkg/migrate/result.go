package migrate

import (
	"slices"
	"strings"
)

// Outcome is the word with which the script of a Job reports how it ended.
type Outcome string

// The outcomes.
const (
	// OutcomeDone: Kong lists every migration as executed, and nothing is pending.
	OutcomeDone Outcome = "done"
	// OutcomePending: Kong lists every migration. The lines of the result are pending.
	OutcomePending Outcome = "pending"
	// OutcomeBlocked: the lines of the result are pending, and the Job may not finish them.
	OutcomeBlocked Outcome = "blocked"
	// OutcomeDeadline: the database did not answer, or another runner held its lock, until the deadline.
	OutcomeDeadline Outcome = "deadline"
	// OutcomeUnlisted: Kong does not list the migrations in the lines of the result.
	OutcomeUnlisted Outcome = "unlisted"
	// OutcomeFailed: the Kong command failed several times.
	OutcomeFailed Outcome = "failed"
	// OutcomeEmpty: the database was never bootstrapped, so there is nothing to finish.
	OutcomeEmpty Outcome = "empty"
	// OutcomeStopped: the pod received a signal to stop.
	OutcomeStopped Outcome = "stopped"
	// OutcomeUnknown: the script reported nothing.
	OutcomeUnknown Outcome = ""
)

// reportedOutcomes returns the outcomes that the script can report.
func reportedOutcomes() []Outcome {
	return []Outcome{
		OutcomeDone, OutcomePending, OutcomeBlocked, OutcomeDeadline,
		OutcomeUnlisted, OutcomeFailed, OutcomeEmpty, OutcomeStopped,
	}
}

// Result is how a Job ended.
type Result struct {
	Outcome Outcome
	// Lines are migrations, one line for each plugin, or the last output of Kong.
	Lines []string
}

// ParseResult reads the termination message of a Job's container. It accepts any text.
func ParseResult(message string) Result {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	if outcome := Outcome(lines[0]); slices.Contains(reportedOutcomes(), outcome) {
		return Result{outcome, lines[1:]}
	}
	// The script wrote nothing. The kubelet then takes the end of the log, or the controller another message.
	return Result{OutcomeUnknown, lines}
}

// output returns the lines as one text.
func (r Result) output() string { return strings.TrimSpace(strings.Join(r.Lines, "\n")) }
