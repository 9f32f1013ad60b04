package migrate

import (
	"testing"
	"time"
)

// TestDeleteJob proves when a Job is deleted because it blocks the database.
func TestDeleteJob(t *testing.T) {
	job := first().MigrationName() + "-up"
	for name, test := range map[string]planCase{
		"a pod with its template waits": {
			snapshot: newBuilder().pod("gated", first()).from("a").migration(first(), migrating).
				notStarted("a", time.Minute),
			of: first, phase: migrating, message: "cannot start: ErrImagePull",
		},
		"only pods with another template wait": {
			snapshot: newBuilder().pod("gated", first()).from("b").pod("ending", first()).from("a").
				migration(first(), migrating).notStarted("a", time.Minute),
			want:   "delete " + job,
			reason: "the workload was fixed, but a Job keeps its own copy of the template",
		},
		"a newer pod with another template waits": {
			snapshot: newBuilder().pod("gated", first()).from("a").pod("gated", first()).from("b").created(0).
				migration(first(), migrating).notStarted("a", time.Minute),
			want: "delete " + job, reason: "a Deployment with maxUnavailable 0 keeps the pods of the old template",
		},
		"an older pod with another template waits": {
			snapshot: newBuilder().pod("gated", first()).from("b").created(2*time.Minute).pod("gated", first()).from("a").
				migration(first(), migrating).notStarted("a", time.Minute),
			of: first, phase: migrating, reason: "its template is not the present one",
		},
		"no pod waits": {
			snapshot: newBuilder().pod("gated", second()).from("b").migration(first(), migrating).
				notStarted("a", time.Minute).migration(second(), waiting),
			want: "delete " + job, of: second, phase: waiting, message: "uses the same database",
			reason: "the Job would block the other release",
		},
		"it runs": {
			snapshot: newBuilder().pod("gated", first()).from("b").migration(first(), migrating).running(stepUp),
			of:       first, phase: migrating, message: "runs \"kong migrations up\"",
			reason: "a Job that runs is never stopped",
		},
		"a mesh keeps its pod running": {
			snapshot: newBuilder().pod("gated", first()).from("a").migration(first(), migrating).
				endedBesideMesh(outcomeDone),
			want: "ungate pod-1; delete " + job, of: first, phase: finished,
			reason: "Kong has ended, and its result is known",
		},
		"a mesh keeps its failed pod running": {
			snapshot: newBuilder().pod("gated", first()).from("a").migration(first(), migrating).
				endedBesideMesh(outcomeFailed, "Error: SQL"),
			want: "delete " + job, of: first, phase: failed, message: "Error: SQL",
			reason: "another Job must not wait for this one",
		},
		"a mesh kept its pod running, and the controller stopped before it deleted the Job": {
			snapshot: newBuilder().migration(first(), finished).endedBesideMesh(outcomeDone),
			want:     "delete " + job, of: first, phase: finished,
		},
		"it does not start for long": {
			snapshot: newBuilder().pod("gated", first()).from("a").migration(first(), migrating).
				notStarted("a", startDeadline),
			want: "delete " + job, reason: "its node may be gone",
		},
		"a Job of an older kongdao": {
			snapshot: newBuilder().pod("gated", first()).from("a").migration(first(), migrating).
				notStarted("", time.Minute),
			of: first, phase: migrating, reason: "it does not say what it was made from",
		},
	} {
		t.Run(name, test.check)
	}
}
