package migrate

import (
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/annotations"
)

// TestPlanFinish proves when `kong migrations finish` starts, and what a migration waits for.
func TestPlanFinish(t *testing.T) {
	two := second().MigrationName()
	for name, test := range map[string]planCase{
		"older pod runs": {
			snapshot: newBuilder().pod("ready", first()).pod("gated", second()).migration(first(), finished).
				migration(second(), migrating).ended(stepUp, outcomePending, next),
			want: "ungate pod-2", of: second, phase: migrated,
			message: `"kong migrations finish" waits for 1 of 2 pods, which do not have these migrations: "kong/pod-1"`,
		},
		"older pod of the same PluginMigration": {
			snapshot: newBuilder().pod("ready", second()).pod("ready", third()).migration(third(), finished).
				migration(second(), migrated, "dao-test: 001_next, 002_last"),
			of: second, phase: migrated, message: `"kong/pod-1"`,
			reason: "a Job with the container of a newer pod found more pending migrations",
		},
		"older pod is shutting down": {
			snapshot: newBuilder().pod("ending", first()).pod("ready", second()).
				migration(first(), finished).migration(second(), migrated, next),
			of: second, phase: migrated, message: `"kong/pod-1"`,
			reason: "it serves until it is gone",
		},
		"pod not ready": {
			snapshot: newBuilder().pod("starting", second()).migration(second(), migrated, next),
			of:       second, phase: migrated, message: `waits for 1 of 1 pods, which are not ready: "kong/pod-1"`,
		},
		"older pod is gone": {
			snapshot: newBuilder().pod("ready", second()).migration(first(), finished).migration(second(), migrated, next),
			want:     "start finish of " + two + " from pod-1, finish named",
		},
		"pod that was never injected": {
			snapshot: newBuilder().pod("ready", withoutPlugins()).pod("ready", second()).migration(second(), migrated, next),
			of:       second, phase: migrated, message: `"kong/pod-1"`,
			reason: "its Kong loads the plugin from elsewhere, without these migrations",
		},
		"just possible": {
			snapshot: newBuilder().delayedFinish().pod("ready", second()).migration(second(), migrated, next),
			of:       second, phase: migrated, message: `starts if all pods can use its result for 5s`,
			reason: "an event about another pod may be late",
		},
		"possible for some time": {
			snapshot: newBuilder().delayedFinish().pod("ready", second()).migration(second(), migrated, next).
				finishableFor(4 * time.Second),
			of: second, phase: migrated, message: "for 5s",
		},
		"possible for long enough": {
			snapshot: newBuilder().delayedFinish().pod("ready", second()).migration(second(), migrated, next).
				finishableFor(5 * time.Second),
			want: "start finish of " + two + " from pod-1, finish named",
		},
		"before up, just possible": {
			snapshot: newBuilder().delayedFinish().pod("ready", second()).pod("gated", third()).
				migration(third(), waiting).change(blockedBy(next)),
			want: "create dao-test", of: third, phase: waiting, message: "for 5s",
		},
		"before up, possible for long enough": {
			snapshot: newBuilder().delayedFinish().pod("ready", second()).pod("gated", third()).
				migration(third(), waiting).change(blockedBy(next)).finishableFor(5 * time.Second),
			want: "create dao-test; start up of " + third().MigrationName() + " from pod-2, finish named",
		},
		"up has just ended": {
			snapshot: newBuilder().pod("ready", second()).
				migration(second(), migrating).ended(stepUp, outcomePending, next),
			of: second, phase: migrated,
			reason: "the result of up is written before finish starts: otherwise a restarted controller would run up again",
		},
		"manual": {
			snapshot: newBuilder().pod("ready", manual()).migration(second(), migrated, next),
			of:       second, phase: migrated, message: `kongdao does not run "kong migrations finish"`,
		},
		"manual, with permission": {
			snapshot: newBuilder().pod("ready", manual()).
				migration(second(), migrated, next).change(annotate(annotations.Migrations, "auto")),
			want: "start finish of " + two + " from pod-1, finish named",
		},
		"finish done": {
			snapshot: newBuilder().pod("ready", second()).
				migration(second(), finishing, next).ended(stepFinish, outcomeDone),
			of: second, phase: finished,
		},
		"finish failed": {
			snapshot: newBuilder().pod("gated", second()).migration(second(), finishing, next).
				ended(stepFinish, outcomeFailed, "Error: x"),
			want: "ungate pod-1", of: second, phase: failed, message: "Error: x. Fix the cause, then",
			reason: "up has succeeded, so the pods can start",
		},
		"third release before the second is finished": {
			snapshot: newBuilder().pod("ready", second()).pod("gated", third()).
				migration(second(), migrated, next).migration(third(), ""),
			want: "start finish of " + two + " from pod-1, finish named",
			of:   third, phase: waiting, message: "must be finished first",
			reason: "Kong would not run up (fact K11)",
		},
		"third release while the first runs": {
			snapshot: newBuilder().pod("ready", first()).pod("gated", third()).migration(first(), finished).
				migration(second(), migrated, next).migration(third(), ""),
			of: third, phase: waiting,
			message: `"kong/pod-1". If this does not change, restart their workloads with the new release`,
			reason:  "Kong must finish the second release first",
		},
		"older pod in another namespace": {
			snapshot: newBuilder().foreign("ready", first()).pod("ready", second()).migration(second(), migrated, next),
			of:       second, phase: migrated,
			message: "which do not have these migrations: 1 pod in another namespace. If pods in other " +
				`namespaces no longer need the database, run "kubectl annotate pluginmigration ` + two +
				` -n kong kongdao.io/ignore-foreign-pods=true"`,
			reason: "it uses the same database, but users of this namespace do not see its name",
		},
		"older pods here and in other namespaces": {
			snapshot: newBuilder().foreign("ready", first()).foreign("ending", first()).pod("ready", first()).
				pod("ready", second()).migration(first(), finished).migration(second(), migrated, next),
			of: second, phase: migrated, message: `"kong/pod-3" and 2 pods in other namespaces.`,
		},
		"unready pod in another namespace": {
			snapshot: newBuilder().foreign("starting", second()).pod("ready", second()).migration(second(), migrated, next),
			of:       second, phase: migrated, message: "which are not ready: 1 pod in another namespace.",
		},
		"pod in another namespace that never ran": {
			snapshot: func() *builder {
				b := newBuilder().foreign("starting", first()).pod("ready", second()).migration(second(), migrated, next)
				b.Pods[0].Started = false
				return b
			}(),
			want:   "start finish of " + two + " from pod-2, finish named",
			reason: "anyone who can create pods in any namespace could otherwise block the database",
		},
		"pod in another namespace that never ran, with a forged plugin": {
			snapshot: func() *builder {
				b := newBuilder().foreign("gated", requirementOf(releaseWith("core", "000", "x"))).pod("ready", second()).
					migration(second(), migrated, "core: 023_360_to_370")
				b.Pods[0].Started = false
				return b
			}(),
			want:   "start finish of " + two + " from pod-2, finish named",
			reason: "its injection record could otherwise claim migrations of Kong itself",
		},
		"ignored pods in other namespaces": {
			snapshot: newBuilder().foreign("ready", first()).foreign("starting", second()).pod("ready", second()).
				migration(second(), migrated, next).change(annotate(annotations.IgnoreForeignPods, "true")),
			want: "start finish of " + two + " from pod-3, finish named",
		},
		"ignored pods in other namespaces, and an older pod here": {
			snapshot: newBuilder().foreign("ready", first()).pod("ready", first()).pod("ready", second()).
				migration(first(), finished).migration(second(), migrated, next).
				change(annotate(annotations.IgnoreForeignPods, "true")),
			of: second, phase: migrated, message: `"kong/pod-2"`,
		},
		"pod that does not load the plugin": {
			snapshot: func() *builder {
				b := newBuilder().pod("ready", withoutPlugins()).pod("ready", second()).migration(second(), migrated, next)
				b.Pods[0].Plugins = []string{"bundled"}
				return b
			}(),
			want:   "start finish of " + two + " from pod-2, finish named",
			reason: "it does not use what finish may remove",
		},
	} {
		t.Run(name, test.check)
	}
}

// TestFinishDelay proves when a plan asks to be made again, and what the controller must remember.
func TestFinishDelay(t *testing.T) {
	allowed := newBuilder().delayedFinish().pod("ready", second()).migration(second(), migrated, next)
	plan := allowed.Plan()
	if len(plan.Finishable) != 1 || plan.RequeueAfter != 6*time.Second {
		t.Errorf("finishable are %q, and the next plan is after %v", plan.Finishable, plan.RequeueAfter)
	}
	plan = allowed.finishableFor(5 * time.Second).Plan()
	if len(plan.Finishable) != 1 || plan.RequeueAfter != 0 {
		t.Errorf("at the start, finishable are %q, and the next plan is after %v", plan.Finishable, plan.RequeueAfter)
	}
	plan = allowed.pod("ready", first()).Plan()
	if len(plan.Finishable) != 0 || plan.RequeueAfter != 0 || plan.StartJob != nil {
		t.Errorf("an older pod runs, but finishable are %q, and the plan starts %+v", plan.Finishable, plan.StartJob)
	}
}
