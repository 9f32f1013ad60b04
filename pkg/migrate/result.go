package migrate

import "strings"

// Outcome is how a Job's script ended, in its own word.
type Outcome string

// The outcomes.
const (
	// Done: every expected migration is executed, and none of any kind is pending.
	Done Outcome = "done"
	// Pending: every expected migration is executed, and the Lines are pending.
	Pending Outcome = "pending"
	// Blocked: the Lines are pending and may not be finished.
	Blocked Outcome = "blocked"
	// Deadline: the database did not answer, or others held its lock, for too long.
	Deadline Outcome = "deadline"
	// Unlisted: Kong does not know of the Lines' migrations.
	Unlisted Outcome = "unlisted"
	// Unknown: the script did not come to say anything.
	Unknown Outcome = ""
)

// Result is what a Job came to.
type Result struct {
	Outcome Outcome
	// Lines are migrations, a line a plugin, or Kong's last words.
	Lines []string
}

// ParseResult reads the termination message of a Job's container. Whatever it
// is, there is a result.
func ParseResult(message string) Result {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	switch outcome := Outcome(lines[0]); outcome {
	case Done, Pending, Blocked, Deadline, Unlisted, "failed", "empty", "stopped":
		return Result{outcome, lines[1:]}
	}
	// Not of the script: what the kubelet took from the log.
	return Result{Unknown, lines}
}

// words are the lines as Kong said them.
func (r Result) words() string { return strings.TrimSpace(strings.Join(r.Lines, "\n")) }
