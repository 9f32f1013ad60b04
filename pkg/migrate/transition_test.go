package migrate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// pair is a step and how its Job ended.
type pair struct {
	step    Step
	outcome jobOutcome
}

// after is what a status must be after a Job ended.
type after struct {
	phase v1alpha1.Phase
	// migrated and finished are the conditions: "True", or "False" and the reason. They are empty if a condition is
	// missing.
	migrated, finished string
	pending, blockedBy []string
	lastOutput         string
	retries            bool
	message            string
}

// TestTransitions proves what each outcome of each step does to the status of a migration.
func TestTransitions(t *testing.T) {
	lines := []string{"dao-test: 001_next", "other: 000_base"}
	const (
		output   = "dao-test: 001_next\nother: 000_base"
		sentence = "dao-test: 001_next other: 000_base"
		deleteIt = `run "kubectl delete pluginmigration dao-test-1 -n kong" to try again`
		jobFails = `Job "job-1" failed: ` + sentence + `. Fix the cause, then ` + deleteIt
		notSeen  = `Job "job-1": Kong does not list ` + sentence +
			`. Check that the container finds the files of the plugin, then ` + deleteIt
		timedOut = `Job "job-1" waited for the database. The next Job starts at 12:00:10 and waits longer. ` +
			`Last output: ` + sentence
		lost = `Job "job-1" is complete, but its pod with the result was deleted. The next Job starts at 12:00:20 and ` +
			`checks the migrations again`
		cannotLoad = `Job "job-1": Kong cannot load the plugins, so no migration ran: ` + sentence +
			`. Fix the plugin, then ` + deleteIt
	)
	upFailed := after{
		phase: v1alpha1.PhaseFailed, migrated: "False JobFailed",
		blockedBy: []string{"acl: 1"}, lastOutput: output, message: jobFails,
	}
	finishFailed := after{
		phase: v1alpha1.PhaseFailed, migrated: "True", finished: "False JobFailed",
		pending: []string{"dao-test: 001_next"}, lastOutput: output, message: jobFails,
	}
	upNotListed, finishNotListed := upFailed, finishFailed
	upNotListed.migrated, upNotListed.message = "False MigrationsNotListed", notSeen
	finishNotListed.finished, finishNotListed.message = "False MigrationsNotListed", notSeen
	upUnloadable, finishUnloadable := upFailed, finishFailed
	upUnloadable.migrated, upUnloadable.message = "False PluginNotLoadable", cannotLoad
	finishUnloadable.finished, finishUnloadable.message = "False PluginNotLoadable", cannotLoad
	wants := map[pair]after{
		{stepUp, outcomeDone}:    {phase: v1alpha1.PhaseFinished, migrated: "True", finished: "True"},
		{stepUp, outcomePending}: {phase: v1alpha1.PhaseMigrated, migrated: "True", pending: lines},
		{stepUp, outcomeBlocked}: {
			phase: v1alpha1.PhaseWaiting, migrated: "False PendingMigrations", blockedBy: lines,
			message: "Pending migrations must be finished first: dao-test: 001_next; other: 000_base",
		},
		{stepUp, outcomeDeadline}: {
			phase: v1alpha1.PhaseWaiting, migrated: "False DatabaseUnreachable", blockedBy: []string{"acl: 1"},
			lastOutput: output, retries: true, message: timedOut,
		},
		{stepUp, outcomeUnlisted}: upNotListed,
		{stepUp, outcomeFailed}:   upFailed,
		{stepUp, outcomeEmpty}:    upFailed,
		{stepUp, outcomeStopped}:  upFailed,
		{stepUp, outcomeUnknown}:  upFailed,

		{stepUp, outcomeUnloadable}: upUnloadable,
		{stepUp, outcomeLost}: {
			phase: v1alpha1.PhaseWaiting, migrated: "False ResultLost", blockedBy: []string{"acl: 1"}, retries: true,
			message: lost,
		},

		{stepFinish, outcomeDone}:    {phase: v1alpha1.PhaseFinished, migrated: "True", finished: "True"},
		{stepFinish, outcomePending}: finishFailed,
		{stepFinish, outcomeBlocked}: {
			phase: v1alpha1.PhaseMigrated, migrated: "True", finished: "False JobStarting", pending: lines,
			message: `Job "job-1" was created, and its pod starts`,
		},
		{stepFinish, outcomeDeadline}: {
			phase: v1alpha1.PhaseMigrated, migrated: "True", finished: "False DatabaseUnreachable",
			pending: []string{"dao-test: 001_next"}, lastOutput: output, retries: true, message: timedOut,
		},
		{stepFinish, outcomeUnlisted}: finishNotListed,
		{stepFinish, outcomeFailed}:   finishFailed,
		{stepFinish, outcomeEmpty}:    finishFailed,
		{stepFinish, outcomeStopped}:  finishFailed,
		{stepFinish, outcomeUnknown}:  finishFailed,

		{stepFinish, outcomeUnloadable}: finishUnloadable,
		{stepFinish, outcomeLost}: {
			phase: v1alpha1.PhaseMigrated, migrated: "True", finished: "False ResultLost",
			pending: []string{"dao-test: 001_next"}, retries: true, message: lost,
		},

		// The label of the Job was changed.
		{"dance", outcomeDone}: upFailed,
	}
	for _, step := range []Step{stepUp, stepFinish} {
		for _, outcome := range append(reportedOutcomes(), outcomeLost, outcomeUnknown) {
			if _, ok := wants[pair{step, outcome}]; !ok {
				t.Errorf("no row for step %q and outcome %q", step, outcome)
			}
		}
	}
	for given, want := range wants {
		t.Run(string(given.step)+" "+string(given.outcome), func(t *testing.T) {
			p := newPlanner(snapshotOfRunningJob(given.step))
			p.Jobs[0].Done, p.Jobs[0].Result = true, Result{given.outcome, lines}
			p.observe(p.migrations[0])
			got := summaryOf(p.migrations[0].Status)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(after{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// snapshotOfRunningJob returns a snapshot with one migration whose second Job runs a step.
func snapshotOfRunningJob(step Step) Snapshot {
	now := metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	migration := v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "dao-test-1", Generation: 1},
	}
	status := &migration.Status
	status.BlockedBy = []string{"acl: 1"}
	if step == stepFinish {
		status.BlockedBy, status.Pending = nil, []string{"dao-test: 001_next"}
		setMigrated(status, now)
	}
	setJobStarted(status, "job-1", step, 2, now)
	return Snapshot{
		Namespace: "kong", Now: now, Migrations: []v1alpha1.PluginMigration{migration},
		Jobs: []Job{{Name: "job-1", Migration: "dao-test-1", Step: step, Attempt: 2}},
	}
}

func summaryOf(status v1alpha1.PluginMigrationStatus) after {
	return after{
		phase:    status.Phase,
		migrated: textOf(status, v1alpha1.ConditionMigrated), finished: textOf(status, v1alpha1.ConditionFinished),
		pending: status.Pending, blockedBy: status.BlockedBy, lastOutput: status.LastOutput,
		retries: status.RetryTime != nil, message: status.Message,
	}
}

// textOf returns "True", or "False" and the reason of a condition.
func textOf(status v1alpha1.PluginMigrationStatus, conditionType string) string {
	condition := meta.FindStatusCondition(status.Conditions, conditionType)
	switch {
	case condition == nil:
		return ""
	case condition.Status == metav1.ConditionTrue:
		return "True"
	default:
		return string(condition.Status) + " " + condition.Reason
	}
}

// TestBlockedManualMigrationBacksOff proves that a blocked Job is retried later if a person finishes migrations.
func TestBlockedManualMigrationBacksOff(t *testing.T) {
	p := newPlanner(snapshotOfRunningJob(stepUp))
	p.migrations[0].Annotations = map[string]string{annotations.Migrations: string(annotations.MigrationsUp)}
	p.Jobs[0].Done, p.Jobs[0].Result = true, Result{outcomeBlocked, []string{"acl: 1"}}
	p.observe(p.migrations[0])
	want := metav1.NewTime(p.Now.Add(20 * time.Second))
	if retry := p.migrations[0].Status.RetryTime; !retry.Equal(&want) {
		t.Errorf("the next Job can start at %v, want %v", retry, want)
	}
}

// TestBackoff proves that the time between attempts doubles up to its limit.
func TestBackoff(t *testing.T) {
	for attempts, want := range map[int32]time.Duration{
		0: 10 * time.Second, 1: 10 * time.Second, 2: 20 * time.Second, 5: 160 * time.Second,
		6: 5 * time.Minute, 1 << 20: 5 * time.Minute,
	} {
		if got := backoff(attempts); got != want {
			t.Errorf("after %d attempts: %v, want %v", attempts, got, want)
		}
	}
}
