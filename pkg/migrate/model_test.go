package migrate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// modelReleases returns the releases of the model's two plugins. Each release has the migrations of the one before, and
// one more. Migrations whose names end in _t have a teardown: "up" leaves them pending (fact K11).
func modelReleases() map[string][][]string {
	return map[string][][]string{
		"dao-test": {{"000_base"}, {"000_base", "001_next_t"}, {"000_base", "001_next_t", "002_last_t"}},
		"other":    {{"000_other"}, {"000_other", "001_other_t"}},
	}
}

// modelSet returns a set with one release of each plugin. -1 leaves a plugin out.
func modelSet(daoTest, other int) PluginSet {
	var set PluginSet
	for _, chosen := range []struct {
		name    string
		release int
	}{{"dao-test", daoTest}, {"other", other}} {
		if chosen.release < 0 {
			continue
		}
		plugin := v1alpha1.PluginMigrations{
			Name: chosen.name, Version: fmt.Sprint(chosen.release),
			MigrationsDigest: fmt.Sprintf("sha256:%s-%d", chosen.name, chosen.release),
		}
		for _, name := range modelReleases()[chosen.name][chosen.release] {
			plugin.Migrations = append(plugin.Migrations, v1alpha1.Migration{Name: name, Digest: "sha256:" + name})
		}
		set = append(set, plugin)
	}
	return set
}

// model is a database with its pods and a controller. Random events change it, and time passes with every event.
type model struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	// executed and pending are what the database holds: "dao-test: 000_base".
	executed, pending map[string]bool
	pods              map[string]Pod
	migrations        map[string]v1alpha1.PluginMigration
	jobs              map[string]*modelJob
	finishable        map[string]metav1.Time
	// recorded are the migrations with an Event.
	recorded map[string]bool
	lastID   int
	history  []string
}

type modelJob struct {
	Job
	start JobStart
	owner types.UID // of the PluginMigration
}

// canStart reports whether the pod of the Job can start. The model's templates name what prevents it.
func (j *modelJob) canStart() bool { return !strings.HasPrefix(j.Template, "broken") }

func newModel(t *testing.T, seed uint64) *model {
	return &model{
		t: t, now: time.Unix(1_800_000_000, 0),
		random:   rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // G404: a sequence must be reproducible
		executed: map[string]bool{}, pending: map[string]bool{},
		pods: map[string]Pod{}, migrations: map[string]v1alpha1.PluginMigration{}, jobs: map[string]*modelJob{},
		recorded: map[string]bool{},
	}
}

const (
	modelNamespace   = "kong"
	modelFinishDelay = 30 * time.Second
	// modelAbandonedAfter is short enough that it passes while events happen.
	modelAbandonedAfter = 10 * time.Minute
)

func (m *model) logf(format string, args ...any) {
	m.history = append(m.history, fmt.Sprintf(format, args...))
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nhistory:\n%s", fmt.Sprintf(format, args...), strings.Join(m.history, "\n"))
}

// snapshot returns the current state, as a controller without a cache reads it.
func (m *model) snapshot() Snapshot {
	snapshot := Snapshot{
		Namespace: modelNamespace, Now: metav1.NewTime(m.now), HistoryLimit: 2,
		AbandonedAfter: modelAbandonedAfter, FinishDelay: modelFinishDelay, FinishableSince: m.finishable,
	}
	for _, name := range slices.Sorted(maps.Keys(m.migrations)) {
		migration := m.migrations[name]
		snapshot.Migrations = append(snapshot.Migrations, *migration.DeepCopy())
	}
	for _, name := range slices.Sorted(maps.Keys(m.pods)) {
		snapshot.Pods = append(snapshot.Pods, m.pods[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.jobs)) {
		job := m.jobs[name].Job
		if migration, ok := m.migrations[job.Migration]; !ok || migration.UID != m.jobs[name].owner {
			job.Migration = ""
		}
		snapshot.Jobs = append(snapshot.Jobs, job)
	}
	return snapshot
}

// TestModel runs random sequences of events. It proves that no gate is removed before Kong has run what the pod needs.
// It also proves that nothing is finished while an older pod runs, and that no two Jobs run on the database. When the
// events and all failures end, every pod that still waits has a message.
func TestModel(t *testing.T) {
	sequences := 1000
	if testing.Short() {
		sequences = 200
	}
	running, finished := 0, 0
	for seed := range uint64(sequences) {
		m := newModel(t, seed)
		for range 60 {
			m.event()
			m.reconcile()
		}
		m.settle()
		for _, pod := range m.pods {
			if !pod.Gated {
				running++
			}
		}
		for _, migration := range m.migrations {
			if migration.Status.Phase == v1alpha1.PhaseFinished {
				finished++
			}
		}
	}
	if running == 0 || finished == 0 {
		t.Errorf("the model proves little: %d pods run, %d migrations are finished", running, finished)
	}
	t.Logf("%d sequences: %d pods run at the end, %d migrations are finished", sequences, running, finished)
}

// settle runs the model without failures until nothing changes.
func (m *model) settle() {
	m.logf("no more events")
	for name, pod := range m.pods {
		if strings.HasPrefix(pod.Template, "broken") { // a person fixes the workload
			pod.Template = "fixed"
			m.pods[name] = pod
		}
	}
	for range 80 {
		m.now = m.now.Add(10 * time.Minute)
		for name, pod := range m.pods {
			if pod.Ending {
				delete(m.pods, name)
			} else if !pod.Gated {
				pod.Ready, pod.Started = true, true
				m.pods[name] = pod
			}
		}
		m.endJobs(m.runScript)
		m.reconcile()
	}
	for name, pod := range m.pods {
		migration, ok := m.migrations[pod.Requirement.MigrationName()]
		stuck := migration.Status.Phase == v1alpha1.PhaseMigrating || IsMigrated(&migration)
		if pod.Gated && pod.Unusable == "" && (!ok || migration.Status.Message == "" || stuck) {
			m.fatalf("pod %s waits without a message: %+v", name, migration.Status)
		}
		event := EventFor(&v1alpha1.PluginMigrationStatus{}, &migration.Status)
		if pod.Gated && pod.Unusable == "" && (!m.recorded[migration.Name] || event.Reason == "") {
			m.fatalf("pod %s waits without an Event on %s: %+v", name, migration.Name, migration.Status)
		}
	}
	if plan := m.snapshot().Plan(); plan.StartJob != nil || len(plan.Create) > 0 || len(plan.StatusUpdates) > 0 {
		m.fatalf("the model does not settle: %+v", plan)
	}
}
