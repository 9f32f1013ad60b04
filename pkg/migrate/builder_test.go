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

// noon returns the time of every plan in these tests.
func noon() metav1.Time { return metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)) }

// releaseWith returns a plugin with migrations. The arguments are pairs: a name and the content of its file.
func releaseWith(plugin string, migrations ...string) v1alpha1.PluginMigrations {
	release := v1alpha1.PluginMigrations{Name: plugin, MigrationsDigest: "sha256:" + strings.Join(migrations, "+")}
	for pair := range slices.Chunk(migrations, 2) {
		release.Migrations = append(release.Migrations, v1alpha1.Migration{Name: pair[0], Digest: "sha256:" + pair[1]})
	}
	return release
}

func requirementOf(set ...v1alpha1.PluginMigrations) Requirement {
	return Requirement{
		Database: v1alpha1.Database{Key: "0123456789abcdef"}, Plugins: set,
		Image: "kong:3.9", Container: "proxy", Mode: annotations.MigrationsAuto,
	}
}

// first, second and third require three releases of one plugin. edited requires the second with an edited file.
func first() Requirement { return requirementOf(releaseWith("dao-test", "000_base", "a")) }
func second() Requirement {
	return requirementOf(releaseWith("dao-test", "000_base", "a", "001_next", "b"))
}
func third() Requirement {
	return requirementOf(releaseWith("dao-test", "000_base", "a", "001_next", "b", "002_last", "c"))
}
func edited() Requirement {
	return requirementOf(releaseWith("dao-test", "000_base", "A", "001_next", "b"))
}

// builder builds a snapshot.
type builder struct{ Snapshot }

func newBuilder() *builder {
	return &builder{Snapshot{Namespace: "kong", Now: noon(), HistoryLimit: 1}}
}

// pod adds a pod that is gated, starting, ready or ending.
func (b *builder) pod(state string, requirement Requirement) *builder {
	b.Pods = append(b.Pods, Pod{
		Namespace: "kong", Name: fmt.Sprintf("pod-%d", len(b.Pods)+1),
		Requirement: requirement, Plugins: []string{"dao-test"},
		Gated: state == "gated", Ready: state == "ready", Ending: state == "ending",
	})
	return b
}

// foreign adds a pod of another namespace. It has started.
func (b *builder) foreign(state string, requirement Requirement) *builder {
	b.pod(state, requirement)
	pod := &b.Pods[len(b.Pods)-1]
	pod.Namespace, pod.Started = "staging", true
	return b
}

// migration adds the PluginMigration of a requirement. In the phases after "up" it is migrated.
func (b *builder) migration(requirement Requirement, phase v1alpha1.Phase, pending ...string) *builder {
	created := metav1.NewTime(noon().Add(time.Duration(len(b.Migrations)-100) * time.Minute))
	migration := v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: requirement.MigrationName(), CreationTimestamp: created},
		Spec:       requirement.Spec(), Status: v1alpha1.PluginMigrationStatus{Phase: phase, Pending: pending},
	}
	switch phase {
	case v1alpha1.PhaseMigrated, v1alpha1.PhaseFinishing, v1alpha1.PhaseFinished:
		migration.Status.MigratedTime = &migration.CreationTimestamp
		meta.SetStatusCondition(&migration.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
			LastTransitionTime: created,
		})
	}
	b.Migrations = append(b.Migrations, migration)
	return b
}

// change changes the migration that was added last.
func (b *builder) change(change func(*v1alpha1.PluginMigration)) *builder {
	change(&b.Migrations[len(b.Migrations)-1])
	return b
}

func (b *builder) abandonedAfter(after time.Duration) *builder {
	b.AbandonedAfter = after
	return b
}

// delayedFinish makes finish wait for 5 s.
func (b *builder) delayedFinish() *builder {
	b.FinishDelay = 5 * time.Second
	return b
}

// finishableFor makes earlier plans have allowed to finish the migration that was added last.
func (b *builder) finishableFor(duration time.Duration) *builder {
	b.FinishableSince = map[string]metav1.Time{
		b.Migrations[len(b.Migrations)-1].Name: metav1.NewTime(noon().Add(-duration)),
	}
	return b
}

// running adds the first Job of the migration that was added last.
func (b *builder) running(step Step) *builder {
	migration := &b.Migrations[len(b.Migrations)-1]
	migration.Status.Attempts = 1
	b.Jobs = append(b.Jobs, Job{
		Name: migration.Name + "-" + string(step), Migration: migration.Name, Step: step, Attempt: 1,
		Created: noon(), Pod: JobPod{Started: true, Running: true},
	})
	return b
}

// notStarted adds the first "up" Job of the migration that was added last. Its pod was made from a template and has not
// started for some time.
func (b *builder) notStarted(template string, age time.Duration) *builder {
	b.running(stepUp)
	job := &b.Jobs[len(b.Jobs)-1]
	job.Template, job.Created, job.Pod = template, metav1.NewTime(noon().Add(-age)), JobPod{CannotStart: "ErrImagePull"}
	return b
}

// endedBesideMesh adds the first "up" Job of the migration that was added last. Its Kong has ended, but its pod has
// not.
func (b *builder) endedBesideMesh(outcome jobOutcome, lines ...string) *builder {
	b.running(stepUp)
	b.Jobs[len(b.Jobs)-1].Pod = JobPod{Started: true, Ended: true, Result: Result{outcome: outcome, lines: lines}}
	return b
}

// from sets the template of the pod that was added last.
func (b *builder) from(template string) *builder {
	b.Pods[len(b.Pods)-1].Template = template
	return b
}

// created sets how long ago the pod that was added last was created.
func (b *builder) created(ago time.Duration) *builder {
	b.Pods[len(b.Pods)-1].Created = metav1.NewTime(noon().Add(-ago))
	return b
}

// ended adds the first Job of the migration that was added last, with its result.
func (b *builder) ended(step Step, outcome jobOutcome, lines ...string) *builder {
	b.running(step)
	job := &b.Jobs[len(b.Jobs)-1]
	job.Done, job.Result = true, Result{outcome: outcome, lines: lines}
	return b
}

// describe returns a plan in a few words.
func describe(plan Plan) string {
	var words []string
	for _, requirement := range plan.Create {
		words = append(words, "create "+requirement.Plugins.request())
	}
	for _, pod := range plan.Ungate {
		words = append(words, "ungate "+pod.Name)
	}
	if start := plan.StartJob; start != nil {
		words = append(words, fmt.Sprintf("start %s of %s from %s, finish %s",
			start.Step, start.Migration, start.From.Name, start.Finish))
	}
	if plan.DeleteJob != nil {
		words = append(words, "delete "+plan.DeleteJob.Name)
	}
	for _, name := range plan.Prune {
		words = append(words, "prune "+name)
	}
	return strings.Join(words, "; ")
}
