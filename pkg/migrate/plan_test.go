package migrate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// The phases, as short as the table needs them.
const (
	waiting   = v1alpha1.PhaseWaiting
	migrating = v1alpha1.PhaseMigrating
	migrated  = v1alpha1.PhaseMigrated
	finishing = v1alpha1.PhaseFinishing
	finished  = v1alpha1.PhaseFinished
	held      = v1alpha1.PhaseHeld
	failed    = v1alpha1.PhaseFailed
)

// planCase is a snapshot and the plan for it.
type planCase struct {
	snapshot *builder
	// want is the plan, as describe prints it.
	want string
	// of is the requirement whose migration must have the phase and the message afterwards. It is nil to skip this
	// check.
	of      func() Requirement
	phase   v1alpha1.Phase
	message string
	reason  string
}

func (c planCase) check(t *testing.T) {
	t.Helper()
	plan := c.snapshot.Plan()
	if got := describe(plan); got != c.want {
		t.Errorf("the plan is %q, want %q: %s", got, c.want, c.reason)
	}
	if c.of == nil {
		return
	}
	name := c.of().MigrationName()
	status, changed := plan.StatusUpdates[name]
	if !changed {
		at := slices.IndexFunc(c.snapshot.Migrations, func(migration v1alpha1.PluginMigration) bool {
			return migration.Name == name
		})
		status = c.snapshot.Migrations[at].Status
	}
	if c.phase != "" && status.Phase != c.phase || !strings.Contains(status.Message, c.message) {
		t.Errorf("%s: %q, want %s and %q: %s", status.Phase, status.Message, c.phase, c.message, c.reason)
	}
}

const next = "dao-test: 001_next"

// withoutPlugins returns the requirement of a pod on the same database that was never injected.
func withoutPlugins() Requirement {
	return Requirement{Database: second().Database, Image: "kong:3.9"}
}

// manual returns the second requirement, with an annotation that leaves finish to a person.
func manual() Requirement {
	requirement := second()
	requirement.Mode = annotations.MigrationsUp
	return requirement
}

func annotate(name, value string) func(*v1alpha1.PluginMigration) {
	return func(migration *v1alpha1.PluginMigration) { migration.Annotations = map[string]string{name: value} }
}

func blockedBy(lines ...string) func(*v1alpha1.PluginMigration) {
	return func(migration *v1alpha1.PluginMigration) { migration.Status.BlockedBy = lines }
}

// unusable changes the pod that was added last to one that no Job may be made from.
func (b *builder) unusable() *builder {
	b.Pods[len(b.Pods)-1].Unusable = "it is a mirror pod"
	return b
}

// TestPlanWithUnusablePods proves that pods which did not pass admission cause no PluginMigration and no Job, but use
// the database.
func TestPlanWithUnusablePods(t *testing.T) {
	one, two := first().MigrationName(), second().MigrationName()
	excluded := newBuilder().pod("ready", second()).pod("gated", first()).migration(second(), migrated, next)
	excluded.Excluded = true
	forgedMode := newBuilder().pod("ready", second()).pod("ready", manual()).unusable().migration(second(), migrated, next)
	forgedMode.Pods[1].Namespace = "kong"
	forgedPlugin := newBuilder().pod("ready", second()).migration(second(), migrated, "core: 023_360_to_370").
		pod("gated", requirementOf(releaseWith("core", "000", "x"))).unusable()
	for name, test := range map[string]planCase{
		"no PluginMigration": {snapshot: newBuilder().pod("ready", first()).unusable(), want: ""},
		"no Job": {
			snapshot: newBuilder().pod("gated", first()).unusable().migration(first(), ""), want: "",
			of: first, phase: waiting,
			message: `No Job can be made from the pods that require this migration. Pod "kong/pod-1": it is a mirror pod`,
		},
		"another pod": {
			snapshot: newBuilder().pod("gated", first()).unusable().pod("gated", first()).migration(first(), ""),
			want:     "start up of " + one + " from pod-2, finish all",
		},
		"no finish": {
			snapshot: newBuilder().pod("ready", second()).unusable().migration(second(), migrated, next), want: "",
			of: second, phase: migrated, message: `"kong migrations finish" needs a pod that has these migrations`,
		},
		"still an older pod": {
			snapshot: newBuilder().pod("ready", second()).pod("ready", first()).unusable().
				migration(first(), finished).migration(second(), migrated, next),
			of: second, phase: migrated, message: `"kong/pod-2"`,
			reason: "its Kong uses the database",
		},
		"forged annotation": {snapshot: forgedMode, want: "start finish of " + two + " from pod-1, finish named"},
		"forged plugin": {
			snapshot: forgedPlugin, want: "start finish of " + two + " from pod-1, finish named",
			reason: "the migrations of Kong itself belong to no plugin: the record is forged",
		},
		"gate of a migrated pod": {
			snapshot: newBuilder().pod("gated", first()).unusable().migration(first(), finished), want: "ungate pod-1",
		},
		"excluded namespace": {
			snapshot: excluded, want: "", of: second, phase: migrated,
			message: `kongdao does not work in namespace "kong"`,
		},
	} {
		t.Run(name, test.check)
	}
	plan := newBuilder().pod("gated", first()).unusable().pod("gated", first()).Plan()
	if len(plan.Unusable) != 1 || plan.Unusable[0].Name != "pod-1" {
		t.Errorf("the plan reports the pods %+v, want pod-1", plan.Unusable)
	}
}

// TestPlanUp proves when `kong migrations up` starts, and what a migration waits for.
func TestPlanUp(t *testing.T) {
	one, two := first().MigrationName(), second().MigrationName()
	for name, test := range map[string]planCase{
		"pod without a migration": {snapshot: newBuilder().pod("gated", first()), want: "create dao-test"},
		"new migration": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), ""),
			want:     "start up of " + one + " from pod-1, finish all",
			reason:   "no Kong runs that could need what finish removes (fact K31)",
		},
		"new migration, another pod runs": {
			snapshot: newBuilder().pod("ready", withoutPlugins()).pod("gated", first()).migration(first(), ""),
			want:     "start up of " + one + " from pod-2, finish none",
		},
		"Job runs": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), migrating).running(stepUp),
			of:       first, phase: migrating, message: `runs "kong migrations up"`,
		},
		"Job done": {
			snapshot: newBuilder().pod("gated", first()).
				migration(first(), migrating).ended(stepUp, outcomeDone),
			want: "ungate pod-1", of: first, phase: finished,
		},
		"blocked by migrations of Kong itself": {
			snapshot: newBuilder().pod("ready", first()).pod("gated", second()).migration(first(), finished).
				migration(second(), migrating).ended(stepUp, outcomeBlocked, "acl: 004_x"),
			want:   "start up of " + two + " from pod-2, finish named",
			reason: "all pods with the same image have the migrations of Kong itself",
		},
		"blocked by migrations of Kong itself, another image runs": {
			snapshot: newBuilder().pod("ready", Requirement{Image: "kong:3.8"}).pod("gated", second()).
				migration(second(), migrating).ended(stepUp, outcomeBlocked, "core: 025_x"),
			of: second, phase: waiting, message: "core: 025_x",
		},
		"failed before": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), failed),
			of:       first, phase: failed,
			reason: "it would fail again: a person deletes the migration",
		},
		"Job deleted": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), migrating).
				change(func(migration *v1alpha1.PluginMigration) { migration.Status.Attempts = 1 }),
			want: "start up of " + one + " from pod-1, finish all",
		},
		"Job that the status does not have": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), "").running(stepUp).
				change(func(migration *v1alpha1.PluginMigration) { migration.Status.Attempts = 0 }),
			of: first, phase: migrating, message: "runs",
			reason: "the controller stopped after it created the Job",
		},
		"Job of another set runs": {
			snapshot: newBuilder().pod("gated", first()).pod("gated", second()).
				migration(first(), migrating).running(stepUp).migration(second(), ""),
			of: second, phase: waiting, message: "uses the same database",
		},
		"edited migration": {
			snapshot: newBuilder().pod("ready", second()).pod("gated", edited()).
				migration(second(), finished).migration(edited(), ""),
			of: edited, phase: held,
			message: `Kong executed migration "000_base" from a file with digest sha256:a, but the file now has digest sha256:A`,
		},
		"edited migration, accepted": {
			snapshot: newBuilder().pod("ready", second()).pod("gated", edited()).migration(second(), finished).
				migration(edited(), held).change(annotate(annotations.AcceptEdited, "true")),
			want: "start up of " + edited().MigrationName() + " from pod-2, finish none",
		},
		"held by a person": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), "").change(annotate(annotations.Migrations, "off")),
			of:       first, phase: held, message: "kongdao.io/migrations-",
		},
		"no longer held by a person": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), held),
			want:     "start up of " + one + " from pod-1, finish all",
		},
		"no pod requires it": {
			snapshot: newBuilder().migration(first(), ""),
			of:       first, phase: waiting, message: "No pod requires this migration",
		},
	} {
		t.Run(name, test.check)
	}
}

// TestPlanPrune proves which migrations are deleted.
func TestPlanPrune(t *testing.T) {
	for name, test := range map[string]planCase{
		"more than the history limit": {
			snapshot: newBuilder().pod("ready", third()).
				migration(first(), finished).migration(second(), finished).migration(third(), finished),
			want: "prune " + first().MigrationName(),
		},
		"each is the only one with its migrations": {
			snapshot: newBuilder().migration(first(), finished).
				migration(requirementOf(releaseWith("other", "000", "x")), finished).
				migration(requirementOf(releaseWith("third", "000", "x")), finished),
			reason: "only they know which files Kong executed",
		},
		"abandoned": {
			snapshot: newBuilder().abandonedAfter(time.Hour).migration(first(), finished).migration(second(), failed),
			want:     "prune " + first().MigrationName() + "; prune " + second().MigrationName(),
			reason:   "the last change was more than an hour ago",
		},
		"abandoned later": {
			snapshot: newBuilder().abandonedAfter(3*time.Hour).migration(first(), finished),
		},
		"changed lately": {
			snapshot: newBuilder().abandonedAfter(time.Hour).migration(first(), finished).
				change(func(migration *v1alpha1.PluginMigration) { migration.Status.FinishedTime = new(noon()) }),
		},
		"no pod requires it, but one uses the database": {
			snapshot: newBuilder().abandonedAfter(time.Hour).pod("ready", withoutPlugins()).migration(first(), finished),
			reason:   "the plugin may come back",
		},
		"a pod of another namespace uses the database": {
			snapshot: newBuilder().abandonedAfter(time.Hour).foreign("ready", first()).migration(first(), finished),
			want:     "prune " + first().MigrationName(),
			reason:   "each namespace has its own PluginMigrations",
		},
		"failed long ago, and no pod requires it": {
			snapshot: newBuilder().pod("ready", withoutPlugins()).migration(first(), failed),
			want:     "prune " + first().MigrationName(), reason: "nothing is lost, and the alert ends",
		},
		"failed lately, and no pod requires it": {
			snapshot: newBuilder().pod("ready", withoutPlugins()).migration(first(), failed).
				change(func(migration *v1alpha1.PluginMigration) { migration.Status.StartTime = new(noon()) }),
			of: first, phase: failed, message: "No pod requires this migration.", reason: "it still shows Kong's words",
		},
		"failed, and a pod requires it again": {
			snapshot: newBuilder().pod("gated", first()).migration(first(), failed).
				change(func(migration *v1alpha1.PluginMigration) { migration.Status.Message = unusedPrefix + "Error: SQL" }),
			of: first, phase: failed, message: "Error: SQL",
		},
		"abandoned, but pending": {
			snapshot: newBuilder().abandonedAfter(time.Hour).migration(second(), migrated, next),
			reason:   "the database is in a state that a person must know about",
		},
		"abandoned, but a Job runs": {
			snapshot: newBuilder().abandonedAfter(time.Hour).migration(first(), migrating).running(stepUp),
		},
	} {
		t.Run(name, test.check)
	}
	later := newBuilder().abandonedAfter(3*time.Hour).migration(first(), finished).Plan()
	if want := 80*time.Minute + time.Second; later.RequeueAfter != want {
		t.Errorf("the plan is made again after %v, want %v: 100 minutes of 3 hours have passed", later.RequeueAfter, want)
	}
}

// TestPlanIsDeterministic proves that two plans of one snapshot are equal, and that a plan does not change its
// snapshot.
func TestPlanIsDeterministic(t *testing.T) {
	snapshot := newBuilder().pod("ready", first()).pod("gated", second()).migration(first(), finished).
		migration(second(), migrating).ended(stepUp, outcomePending, next)
	before := snapshot.Migrations[1].DeepCopy()
	if diff := cmp.Diff(snapshot.Plan(), snapshot.Plan()); diff != "" {
		t.Errorf("two plans of one snapshot differ (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(before, &snapshot.Migrations[1]); diff != "" {
		t.Errorf("the plan changed its snapshot (-before +after):\n%s", diff)
	}
}
