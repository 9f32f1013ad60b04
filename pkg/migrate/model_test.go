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

// The model's releases of two plugins: each has the migrations of the one
// before, and one more. Migrations whose names end in _t have a teardown, so
// that "up" leaves them pending (K11).
var modelReleases = map[string][][]string{
	"dao-test": {{"000_base"}, {"000_base", "001_next_t"}, {"000_base", "001_next_t", "002_last_t"}},
	"other":    {{"000_other"}, {"000_other", "001_other_t"}},
}

// modelSet is a set of the model: of each plugin a release, -1 for none.
func modelSet(daoTest, other int) Set {
	var set Set
	for _, chosen := range []struct {
		name    string
		release int
	}{{"dao-test", daoTest}, {"other", other}} {
		if chosen.release < 0 {
			continue
		}
		plugin := v1alpha1.PluginMigrations{Name: chosen.name, Version: fmt.Sprint(chosen.release), Digest: fmt.Sprintf("sha256:%s-%d", chosen.name, chosen.release)}
		for _, name := range modelReleases[chosen.name][chosen.release] {
			plugin.Migrations = append(plugin.Migrations, v1alpha1.Migration{Name: name, Digest: "sha256:" + name})
		}
		set = append(set, plugin)
	}
	return set
}

// model is a database, its pods and a controller, moved by random events. Time
// passes with every event.
type model struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	// executed and pending are what the database holds: "dao-test: 000_base".
	executed, pending map[string]bool
	pods              map[string]Pod
	records           map[string]v1alpha1.PluginMigration
	jobs              map[string]*modelJob
	made              int
	history           []string
}

type modelJob struct {
	Job
	start Start
	uid   types.UID // of the record that it belongs to
}

func newModel(t *testing.T, seed uint64) *model {
	return &model{
		t: t, now: time.Unix(1_800_000_000, 0),
		random:   rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // G404: a sequence has to come again
		executed: map[string]bool{}, pending: map[string]bool{},
		pods: map[string]Pod{}, records: map[string]v1alpha1.PluginMigration{}, jobs: map[string]*modelJob{},
	}
}

const modelNamespace = "kong"

func (m *model) happened(format string, args ...any) {
	m.history = append(m.history, fmt.Sprintf(format, args...))
}

func (m *model) broken(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(m.history, "\n"))
}

// world is as the controller sees it, whole and now.
func (m *model) world() Snapshot {
	world := Snapshot{Namespace: modelNamespace, Now: metav1.NewTime(m.now), History: 2}
	for _, name := range slices.Sorted(maps.Keys(m.records)) {
		record := m.records[name]
		world.Records = append(world.Records, *record.DeepCopy())
	}
	for _, name := range slices.Sorted(maps.Keys(m.pods)) {
		world.Pods = append(world.Pods, m.pods[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.jobs)) {
		job := m.jobs[name].Job
		if record, there := m.records[job.Record]; !there || record.UID != m.jobs[name].uid {
			job.Record = ""
		}
		world.Jobs = append(world.Jobs, job)
	}
	return world
}

// control has the controller do its plan. It may end after any step.
func (m *model) control() {
	plan := m.world().Plan()
	dies := m.random.IntN(8) == 0
	for _, need := range plan.Create {
		m.made++
		m.records[need.MigrationName()] = v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{Namespace: modelNamespace, Name: need.MigrationName(), UID: types.UID(fmt.Sprint(m.made)), CreationTimestamp: metav1.NewTime(m.now)},
			Spec:       need.Spec(),
		}
	}
	for _, lifted := range plan.Lift {
		m.lift(lifted)
	}
	if plan.Start != nil {
		m.start(*plan.Start, plan.Changes)
	}
	if dies {
		m.happened("the controller dies")
		return
	}
	for name, status := range plan.Changes {
		record := m.records[name]
		if record.Status.Phase != status.Phase {
			m.happened("%s: %s -> %s (%s)", name, record.Status.Phase, status.Phase, status.Message)
		}
		record.Status = status
		m.records[name] = record
	}
	for _, name := range plan.Forget {
		m.happened("%s is forgotten", name)
		delete(m.records, name)
	}
}

func (m *model) lift(lifted Pod) {
	pod, there := m.pods[lifted.Name]
	if !there || !pod.Gated {
		m.broken("a gate is lifted that is not there: %s", lifted.Name)
	}
	for _, plugin := range pod.Requirement.Set {
		for _, migration := range plugin.Migrations {
			if key := plugin.Name + ": " + migration.Name; !m.executed[key] && !m.pending[key] {
				m.broken("the gate of %s is lifted, and %s has not been run", pod.Name, key)
			}
		}
	}
	pod.Gated = false
	m.pods[pod.Name] = pod
	m.happened("pod %s: lifted", pod.Name)
}

func (m *model) start(start Start, changes map[string]v1alpha1.PluginMigrationStatus) {
	for name, job := range m.jobs {
		if !job.Done {
			m.broken("%s of %s is started while %s runs", start.Step, start.Record, name)
		}
	}
	if start.Finish != FinishNone {
		m.wantNoOlder(start)
	}
	record := m.records[start.Record]
	job := &modelJob{start: start, uid: record.UID, Job: Job{
		Name: fmt.Sprintf("%s-%s-%d-%s", start.Record, start.Step, start.Attempt, record.UID), Record: start.Record, Step: start.Step, Attempt: start.Attempt,
	}}
	m.jobs[job.Name] = job
	m.happened("Job %s started, may finish %s %q", job.Name, start.Finish, start.Pending)
	status, changed := changes[start.Record]
	if !changed {
		status = *record.Status.DeepCopy()
	}
	Started(&status, start, job.Name, metav1.NewTime(m.now))
	changes[start.Record] = status
}

// wantNoOlder: while anything may be finished, no pod runs that loads the plugin
// without the migration.
func (m *model) wantNoOlder(start Start) {
	for _, pod := range m.pods {
		for key := range m.pending {
			plugin, name, _ := strings.Cut(key, ": ")
			for _, own := range pod.Requirement.Set {
				has := slices.ContainsFunc(own.Migrations, func(migration v1alpha1.Migration) bool { return migration.Name == name })
				named := start.Finish == FinishAll || slices.ContainsFunc(start.Pending, func(line string) bool { return strings.HasPrefix(line, plugin+": ") && strings.Contains(line, name) })
				if own.Name == plugin && !has && !pod.Gated && named {
					m.broken("%s of %s may finish %s while %s runs without it", start.Step, start.Record, key, pod.Name)
				}
			}
		}
	}
}

// TestModel holds of random sequences of events: no gate is lifted before Kong
// has run what the pod needs, nothing is finished while an older pod runs, and
// no two Jobs run on the database; and when events end, and nothing fails any
// more, every pod that still waits is told why.
func TestModel(t *testing.T) {
	sequences := 1000
	if testing.Short() {
		sequences = 200
	}
	lifted, finished := 0, 0
	for seed := range uint64(sequences) {
		m := newModel(t, seed)
		for range 60 {
			m.event()
			m.control()
		}
		m.settle()
		for _, pod := range m.pods {
			if !pod.Gated {
				lifted++
			}
		}
		for _, record := range m.records {
			if record.Status.Phase == v1alpha1.Finished {
				finished++
			}
		}
	}
	if lifted == 0 || finished == 0 {
		t.Errorf("the model proves little: %d pods run, %d records are finished", lifted, finished)
	}
	t.Logf("%d sequences: %d pods run at the end, %d records are finished", sequences, lifted, finished)
}

// settle lets all that can happen happen, without failures.
func (m *model) settle() {
	m.happened("no more events")
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
		m.jobEnds(m.script)
		m.control()
	}
	for name, pod := range m.pods {
		record, there := m.records[pod.Requirement.MigrationName()]
		if pod.Gated && (!there || record.Status.Message == "" || record.Status.Phase == v1alpha1.Migrating || IsMigrated(&record)) {
			m.broken("pod %s waits and nobody says why: %+v", name, record.Status)
		}
	}
	if plan := m.world().Plan(); plan.Start != nil || len(plan.Create) > 0 || len(plan.Changes) > 0 {
		m.broken("it never comes to rest: %+v", plan)
	}
}
