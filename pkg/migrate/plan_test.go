package migrate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
)

// noon is when every plan of these tests is made.
var noon = metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))

// releaseWith is a plugin with migrations, of which each name is followed by its
// file's content.
func releaseWith(plugin string, migrations ...string) v1alpha1.PluginMigrations {
	made := v1alpha1.PluginMigrations{Name: plugin, Digest: "sha256:" + strings.Join(migrations, "+")}
	for pair := range slices.Chunk(migrations, 2) {
		made.Migrations = append(made.Migrations, v1alpha1.Migration{Name: pair[0], Digest: "sha256:" + pair[1]})
	}
	return made
}

func need(set ...v1alpha1.PluginMigrations) migrate.Requirement {
	return migrate.Requirement{Database: v1alpha1.Database{Key: "0123456789abcdef"}, Set: set, Image: "kong:3.9", Container: "proxy", Mode: annotations.MigrationsAuto}
}

// Three releases of one plugin, and one of which a file was edited.
func first() migrate.Requirement { return need(releaseWith("dao-test", "000_base", "a")) }
func second() migrate.Requirement {
	return need(releaseWith("dao-test", "000_base", "a", "001_next", "b"))
}
func third() migrate.Requirement {
	return need(releaseWith("dao-test", "000_base", "a", "001_next", "b", "002_last", "c"))
}
func edited() migrate.Requirement {
	return need(releaseWith("dao-test", "000_base", "A", "001_next", "b"))
}

// scene is a world in the making.
type scene struct{ migrate.Snapshot }

func newScene() *scene {
	return &scene{migrate.Snapshot{Namespace: "kong", Now: noon, History: 1}}
}

// pod adds a pod: gated, starting, ready or ending.
func (s *scene) pod(state string, need migrate.Requirement) *scene {
	s.Pods = append(s.Pods, migrate.Pod{
		Namespace: "kong", Name: fmt.Sprintf("pod-%d", len(s.Pods)+1), Requirement: need, Plugins: []string{"dao-test"},
		Gated: state == "gated", Ready: state == "ready", Ending: state == "ending",
	})
	return s
}

// record adds the PluginMigration of a need. Pending makes it migrated; "" with
// all finished.
func (s *scene) record(need migrate.Requirement, phase v1alpha1.Phase, pending ...string) *scene {
	made := v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: need.MigrationName(), CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(len(s.Records)-100) * time.Minute))},
		Spec:       need.Spec(), Status: v1alpha1.PluginMigrationStatus{Phase: phase, Pending: pending},
	}
	switch phase {
	case v1alpha1.Migrated, v1alpha1.Finishing, v1alpha1.Finished:
		made.Status.MigratedTime = &made.CreationTimestamp
		meta.SetStatusCondition(&made.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified})
	}
	s.Records = append(s.Records, made)
	return s
}

// last changes the record that was added last.
func (s *scene) last(change func(*v1alpha1.PluginMigration)) *scene {
	change(&s.Records[len(s.Records)-1])
	return s
}

// job adds the first Job of the record that was added last. "" as its outcome is
// of one that runs.
func (s *scene) job(step migrate.Step, outcome migrate.Outcome, lines ...string) *scene {
	record := &s.Records[len(s.Records)-1]
	record.Status.Attempts = 1
	s.Jobs = append(s.Jobs, migrate.Job{
		Name: record.Name + "-" + string(step), Record: record.Name, Step: step, Attempt: 1,
		Done: outcome != "", Result: migrate.Result{Outcome: outcome, Lines: lines},
	})
	return s
}

// described is a plan in a few words: what a person would want to know.
func described(plan migrate.Plan) string {
	var words []string
	for _, need := range plan.Create {
		words = append(words, "create "+need.Set.Request())
	}
	for _, pod := range plan.Lift {
		words = append(words, "lift "+pod.Name)
	}
	if start := plan.Start; start != nil {
		words = append(words, fmt.Sprintf("start %s of %s from %s, finish %s", start.Step, start.Record, start.From.Name, start.Finish))
	}
	for _, name := range plan.Forget {
		words = append(words, "forget "+name)
	}
	return strings.Join(words, "; ")
}

// TestPlan proves what comes next in each state, and what is said of it.
func TestPlan(t *testing.T) {
	const next = "dao-test: 001_next"
	one, two, three := first().MigrationName(), second().MigrationName(), third().MigrationName()
	manual := second()
	manual.Mode = annotations.MigrationsUp
	older := migrate.Requirement{Database: second().Database, Image: "kong:3.9"}
	for name, test := range map[string]struct {
		world *scene
		want  string
		// of is a record of which phase and message are looked at.
		of      string
		phase   v1alpha1.Phase
		message string
		reason  string
	}{
		"a first pod":     {world: newScene().pod("gated", first()), want: "create dao-test"},
		"its record":      {world: newScene().pod("gated", first()).record(first(), ""), want: "start up of " + one + " from pod-1, finish all", reason: "no Kong runs that could need anything (K31)"},
		"beside another":  {world: newScene().pod("ready", older).pod("gated", first()).record(first(), ""), want: "start up of " + one + " from pod-2, finish none"},
		"running":         {world: newScene().pod("gated", first()).record(first(), v1alpha1.Migrating).job(migrate.Up, ""), of: one, phase: v1alpha1.Migrating, message: "runs"},
		"done":            {world: newScene().pod("gated", first()).record(first(), v1alpha1.Migrating).job(migrate.Up, migrate.Done), want: "lift pod-1", of: one, phase: v1alpha1.Finished},
		"pending":         {world: newScene().pod("ready", first()).pod("gated", second()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Migrating).job(migrate.Up, migrate.Pending, next), want: "lift pod-2", of: two, phase: v1alpha1.Migrated, message: `pods run that do not carry them: "kong/pod-1"`},
		"the old one end": {world: newScene().pod("ending", first()).pod("ready", second()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Migrated, next), of: two, phase: v1alpha1.Migrated, message: `"kong/pod-1"`, reason: "it serves until it is gone"},
		"not ready yet":   {world: newScene().pod("starting", second()).record(second(), v1alpha1.Migrated, next), of: two, phase: v1alpha1.Migrated, message: `pods are not ready: "kong/pod-1"`},
		"the old one is gone": {world: newScene().pod("ready", second()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Migrated, next),
			want: "start finish of " + two + " from pod-1, finish named"},
		"never injected": {world: newScene().pod("ready", older).pod("ready", second()).record(second(), v1alpha1.Migrated, next), of: two, phase: v1alpha1.Migrated, message: `"kong/pod-1"`,
			reason: "Kong loads the plugin, by whatever way, and has not these migrations"},
		"up comes to something for pods that serve": {world: newScene().pod("ready", second()).record(second(), v1alpha1.Migrating).job(migrate.Up, migrate.Pending, next), of: two, phase: v1alpha1.Migrated,
			reason: "what up came to is written down before finish starts: who ends between would not know of it"},
		"left to a person":     {world: newScene().pod("ready", manual).record(second(), v1alpha1.Migrated, next), of: two, phase: v1alpha1.Migrated, message: "leaves \"kong migrations finish\" to a person"},
		"the person says when": {world: newScene().pod("ready", manual).record(second(), v1alpha1.Migrated, next).last(func(r *v1alpha1.PluginMigration) { r.Annotations = map[string]string{annotations.Migrations: "auto"} }), want: "start finish of " + two + " from pod-1, finish named"},
		"finished":             {world: newScene().pod("ready", second()).record(second(), v1alpha1.Finishing, next).job(migrate.Finish, migrate.Done), of: two, phase: v1alpha1.Finished},
		"finish fails": {world: newScene().pod("gated", second()).record(second(), v1alpha1.Finishing, next).job(migrate.Finish, "failed", "Error: x"), want: "lift pod-1", of: two, phase: v1alpha1.Failed, message: "Error: x; mend it, then",
			reason: "what was run is run, so pods start"},
		"a third before the second is finished": {world: newScene().pod("ready", second()).pod("gated", third()).record(second(), v1alpha1.Migrated, next).record(third(), ""),
			want: "start finish of " + two + " from pod-1, finish named", of: three, phase: v1alpha1.Waiting, message: "has to be finished first", reason: "up would deny (K11)"},
		"a third while the first runs": {world: newScene().pod("ready", first()).pod("gated", third()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Migrated, next).record(third(), ""),
			of: three, phase: v1alpha1.Waiting, message: `roll out the release that does to all of them`, reason: "Kong knows no other way than through the second"},
		"blocked by others' pending": {world: newScene().pod("ready", first()).pod("gated", second()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Migrating).job(migrate.Up, migrate.Blocked, "acl: 004_x"),
			want: "start up of " + two + " from pod-2, finish named", reason: "Kong's own are carried by all of one image"},
		"blocked, and another Kong": {world: newScene().pod("ready", migrate.Requirement{Image: "kong:3.8"}).pod("gated", second()).record(second(), v1alpha1.Migrating).job(migrate.Up, migrate.Blocked, "core: 025_x"),
			of: two, phase: v1alpha1.Waiting, message: "core: 025_x"},
		"unreachable": {world: newScene().pod("gated", first()).record(first(), v1alpha1.Migrating).job(migrate.Up, migrate.Deadline, "Error: no route"), of: one, phase: v1alpha1.Waiting, message: "is tried again at 12:00:10: Error: no route"},
		"unlisted":    {world: newScene().pod("gated", first()).record(first(), v1alpha1.Migrating).job(migrate.Up, migrate.Unlisted, "dao-test: 000_base"), of: one, phase: v1alpha1.Failed, message: "Kong does not see dao-test: 000_base"},
		"failed":      {world: newScene().pod("gated", first()).record(first(), v1alpha1.Migrating).job(migrate.Up, "failed", "Error: syntax"), of: one, phase: v1alpha1.Failed, message: "kubectl delete pluginmigration " + one},
		"failed before": {world: newScene().pod("gated", first()).record(first(), v1alpha1.Failed), of: one,
			reason: "it would fail again: a person deletes the record"},
		"the Job is gone": {world: newScene().pod("gated", first()).record(first(), v1alpha1.Migrating).last(func(r *v1alpha1.PluginMigration) { r.Status.Attempts = 1 }), want: "start up of " + one + " from pod-1, finish all"},
		"a Job nobody wrote down": {world: func() *scene {
			s := newScene().pod("gated", first()).record(first(), "").job(migrate.Up, "")
			s.Records[0].Status.Attempts = 0
			return s
		}(), of: one, phase: v1alpha1.Migrating, message: "runs", reason: "the controller ended between making it and saying so"},
		"another set's Job runs": {world: newScene().pod("gated", first()).pod("gated", second()).record(first(), v1alpha1.Migrating).job(migrate.Up, "").record(second(), ""), of: two, phase: v1alpha1.Waiting, message: "runs on the same database"},
		"an edited migration":    {world: newScene().pod("ready", second()).pod("gated", edited()).record(second(), v1alpha1.Finished).record(edited(), ""), of: edited().MigrationName(), phase: v1alpha1.Held, message: `"000_base" was executed from a file with digest sha256:a and its file now has sha256:A`},
		"edited and accepted": {world: newScene().pod("ready", second()).pod("gated", edited()).record(second(), v1alpha1.Finished).record(edited(), v1alpha1.Held).last(func(r *v1alpha1.PluginMigration) {
			r.Annotations = map[string]string{annotations.AcceptEdited: "true"}
		}), want: "start up of " + edited().MigrationName() + " from pod-2, finish none"},
		"nobody needs it":      {world: newScene().record(first(), ""), of: one, phase: v1alpha1.Waiting, message: "no pod needs it"},
		"too much of history":  {world: newScene().pod("ready", third()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Finished).record(third(), v1alpha1.Finished), want: "forget " + one},
		"what one alone knows": {world: newScene().record(first(), v1alpha1.Finished).record(need(releaseWith("other", "000", "x")), v1alpha1.Finished).record(need(releaseWith("third", "000", "x")), v1alpha1.Finished), reason: "each alone knows its migrations' files"},
		"in another namespace": {world: func() *scene {
			s := newScene().pod("ready", first()).pod("ready", second()).record(second(), v1alpha1.Migrated, next)
			s.Pods[0].Namespace = "staging"
			return s
		}(), of: two, phase: v1alpha1.Migrated, message: `"staging/pod-1"`, reason: "one database, whoever uses it"},
		"one that does not load it": {world: func() *scene {
			s := newScene().pod("ready", older).pod("ready", second()).record(second(), v1alpha1.Migrated, next)
			s.Pods[0].Plugins = []string{"bundled"}
			return s
		}(), want: "start finish of " + two + " from pod-2, finish named", reason: "it does not use what finishing may take away"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := test.world.Plan()
			if got := described(plan); got != test.want {
				t.Errorf("%q, want %q: %s", got, test.want, test.reason)
			}
			if test.of == "" {
				return
			}
			status, changed := plan.Changes[test.of]
			if !changed {
				for _, record := range test.world.Records {
					if record.Name == test.of {
						status = record.Status
					}
				}
			}
			if test.phase != "" && status.Phase != test.phase || !strings.Contains(status.Message, test.message) {
				t.Errorf("%s: %q, want %s and %q: %s", status.Phase, status.Message, test.phase, test.message, test.reason)
			}
		})
	}
}

// TestPlanIsSteady proves of each plan of the model's start that making it again
// changes nothing, and that nobody's world is changed by it.
func TestPlanIsSteady(t *testing.T) {
	world := newScene().pod("ready", first()).pod("gated", second()).record(first(), v1alpha1.Finished).record(second(), v1alpha1.Migrating).job(migrate.Up, migrate.Pending, "dao-test: 001_next")
	before := world.Records[1].DeepCopy()
	if diff := cmp.Diff(world.Plan(), world.Plan()); diff != "" {
		t.Errorf("two plans of one world\n%s", diff)
	}
	if diff := cmp.Diff(before, &world.Records[1]); diff != "" {
		t.Errorf("a plan changes what it is made of\n%s", diff)
	}
}
