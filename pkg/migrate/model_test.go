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
	lastID            int
	history           []string
}

type modelJob struct {
	Job
	start JobStart
	owner types.UID // of the PluginMigration
}

func newModel(t *testing.T, seed uint64) *model {
	return &model{
		t: t, now: time.Unix(1_800_000_000, 0),
		random:   rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // G404: a sequence must be reproducible
		executed: map[string]bool{}, pending: map[string]bool{},
		pods: map[string]Pod{}, migrations: map[string]v1alpha1.PluginMigration{}, jobs: map[string]*modelJob{},
	}
}

const modelNamespace = "kong"

func (m *model) logf(format string, args ...any) {
	m.history = append(m.history, fmt.Sprintf(format, args...))
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nhistory:\n%s", fmt.Sprintf(format, args...), strings.Join(m.history, "\n"))
}

// snapshot returns the current state, as a controller without a cache reads it.
func (m *model) snapshot() Snapshot {
	snapshot := Snapshot{Namespace: modelNamespace, Now: metav1.NewTime(m.now), HistoryLimit: 2}
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

// reconcile applies a plan. The controller may stop before it writes statuses.
func (m *model) reconcile() {
	plan := m.snapshot().Plan()
	stops := m.random.IntN(8) == 0
	for _, requirement := range plan.Create {
		m.lastID++
		m.migrations[requirement.MigrationName()] = v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: modelNamespace, Name: requirement.MigrationName(), Generation: 1,
				UID: types.UID(fmt.Sprint(m.lastID)), CreationTimestamp: metav1.NewTime(m.now),
			},
			Spec: requirement.Spec(),
		}
	}
	for _, pod := range plan.Ungate {
		m.ungate(pod)
	}
	if plan.StartJob != nil {
		m.startJob(plan)
	}
	if stops {
		m.logf("the controller stops")
		return
	}
	for name, status := range plan.StatusUpdates {
		migration := m.migrations[name]
		if migration.Status.Phase != status.Phase {
			m.logf("%s: %s -> %s (%s)", name, migration.Status.Phase, status.Phase, status.Message)
		}
		migration.Status = status
		m.migrations[name] = migration
		m.checkConditions(&migration)
	}
	for _, name := range plan.Prune {
		m.logf("%s is pruned", name)
		delete(m.migrations, name)
	}
}

func (m *model) ungate(planned Pod) {
	pod, ok := m.pods[planned.Name]
	if !ok || !pod.Gated {
		m.fatalf("the plan removes a gate that does not exist: %s", planned.Name)
	}
	for _, plugin := range pod.Requirement.Plugins {
		for _, migration := range plugin.Migrations {
			if key := plugin.Name + ": " + migration.Name; !m.executed[key] && !m.pending[key] {
				m.fatalf("the plan removes the gate of %s, but %s has not run", pod.Name, key)
			}
		}
	}
	pod.Gated = false
	m.pods[pod.Name] = pod
	m.logf("pod %s: ungated", pod.Name)
}

func (m *model) startJob(plan Plan) {
	start := *plan.StartJob
	for name, job := range m.jobs {
		if !job.Done {
			m.fatalf("%s of %s starts while %s runs", start.Step, start.Migration, name)
		}
	}
	if start.Finish != FinishNone {
		m.checkNoOlderPods(start)
	}
	migration := m.migrations[start.Migration]
	job := &modelJob{start: start, owner: migration.UID, Job: Job{
		Name:      fmt.Sprintf("%s-%s-%d-%s", start.Migration, start.Step, start.Attempt, migration.UID),
		Migration: start.Migration, Step: start.Step, Attempt: start.Attempt,
	}}
	m.jobs[job.Name] = job
	m.logf("Job %s starts, may finish %s %q", job.Name, start.Finish, start.Pending)
	plan.RecordJobStart(job.Name, metav1.NewTime(m.now))
}

// checkNoOlderPods fails if a Job may finish a migration while a pod runs that loads the plugin without the migration.
func (m *model) checkNoOlderPods(start JobStart) {
	for _, pod := range m.pods {
		for key := range m.pending {
			plugin, name, _ := strings.Cut(key, ": ")
			for _, own := range pod.Requirement.Plugins {
				has := slices.ContainsFunc(own.Migrations, func(migration v1alpha1.Migration) bool {
					return migration.Name == name
				})
				mayFinish := start.Finish == FinishAll || slices.ContainsFunc(start.Pending, func(line string) bool {
					return strings.HasPrefix(line, plugin+": ") && strings.Contains(line, name)
				})
				if own.Name == plugin && !has && !pod.Gated && mayFinish {
					m.fatalf("%s of %s may finish %s while %s runs without it", start.Step, start.Migration, key, pod.Name)
				}
			}
		}
	}
}

// checkConditions fails unless exactly one of Ready, Reconciling and Stalled is True.
func (m *model) checkConditions(migration *v1alpha1.PluginMigration) {
	var trueTypes []string
	for _, condition := range migration.Status.Conditions {
		if condition.ObservedGeneration != migration.Generation {
			m.fatalf("condition %s of %s is about generation %d", condition.Type, migration.Name, condition.ObservedGeneration)
		}
		summary := []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}
		if condition.Status == metav1.ConditionTrue && slices.Contains(summary, condition.Type) {
			trueTypes = append(trueTypes, condition.Type)
		}
	}
	if len(trueTypes) != 1 || migration.Status.ObservedGeneration != migration.Generation {
		m.fatalf("%s in phase %s has True conditions %v: %+v",
			migration.Name, migration.Status.Phase, trueTypes, migration.Status)
	}
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
	for range 40 {
		m.now = m.now.Add(10 * time.Minute)
		for name, pod := range m.pods {
			if pod.Ending {
				delete(m.pods, name)
			} else if !pod.Gated {
				pod.Ready = true
				m.pods[name] = pod
			}
		}
		m.endJobs(m.runScript)
		m.reconcile()
	}
	for name, pod := range m.pods {
		migration, ok := m.migrations[pod.Requirement.MigrationName()]
		stuck := migration.Status.Phase == v1alpha1.PhaseMigrating || IsMigrated(&migration)
		if pod.Gated && (!ok || migration.Status.Message == "" || stuck) {
			m.fatalf("pod %s waits without a message: %+v", name, migration.Status)
		}
	}
	if plan := m.snapshot().Plan(); plan.StartJob != nil || len(plan.Create) > 0 || len(plan.StatusUpdates) > 0 {
		m.fatalf("the model does not settle: %+v", plan)
	}
}
