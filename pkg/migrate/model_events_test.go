package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// event does one thing that can happen, chosen at random.
func (m *model) event() {
	m.now = m.now.Add(time.Duration(m.random.IntN(120)) * time.Second)
	switch m.random.IntN(12) {
	case 0, 1:
		m.createPod(modelSet(m.random.IntN(3), m.random.IntN(3)-1))
	case 2:
		m.changeAnyPod(func(pod *Pod) { pod.Ready, pod.Started = !pod.Gated, !pod.Gated })
	case 3:
		m.changeAnyPod(func(pod *Pod) { pod.Ending, pod.Ready = true, false })
	case 4:
		if name, ok := m.changeAnyPod(func(*Pod) {}); ok {
			m.logf("pod %s is gone", name)
			delete(m.pods, name)
		}
	case 5:
		m.endJobs(func(*modelJob) Result { return Result{outcome: outcomeDeadline, lines: []string{"Error: no route"}} })
	case 6:
		if m.random.IntN(4) == 0 {
			m.endJobs(func(*modelJob) Result { return Result{outcome: outcomeFailed, lines: []string{"Error: SQL"}} })
		}
	case 7:
		m.deleteAnyMigration()
	case 8:
		m.deleteAnyJob()
	default:
		m.endJobs(m.runScript)
	}
}

func (m *model) changeAnyPod(change func(*Pod)) (string, bool) {
	if len(m.pods) == 0 {
		return "", false
	}
	names := slices.Sorted(maps.Keys(m.pods))
	name := names[m.random.IntN(len(names))]
	pod := m.pods[name]
	change(&pod)
	m.pods[name] = pod
	m.logf("pod %s: gated %v, ready %v, ending %v", name, pod.Gated, pod.Ready, pod.Ending)
	return name, true
}

func (m *model) deleteAnyMigration() {
	if names := slices.Sorted(maps.Keys(m.migrations)); len(names) > 0 && m.random.IntN(3) == 0 {
		name := names[m.random.IntN(len(names))]
		m.logf("a person deletes %s", name)
		delete(m.migrations, name)
	}
}

func (m *model) deleteAnyJob() {
	if len(m.jobs) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(m.jobs))
	if name := names[m.random.IntN(len(names))]; m.jobs[name].Done {
		m.logf("Job %s is gone", name)
		delete(m.jobs, name)
	}
}

// createPod does what the webhook does: a pod whose migration is complete gets no gate.
func (m *model) createPod(set PluginSet) {
	m.lastID++
	requirement := Requirement{
		Database: v1alpha1.Database{Key: "0123456789abcdef"}, Plugins: set,
		Image: "kong:3.9", Container: "proxy", Mode: annotations.MigrationsAuto,
	}
	pod := Pod{Namespace: modelNamespace, Name: fmt.Sprintf("pod-%d", m.lastID), Requirement: requirement, Gated: true}
	pod.Template, pod.Created = fmt.Sprintf("template-%d", m.random.IntN(3)), metav1.NewTime(m.now)
	if m.random.IntN(6) == 0 {
		pod.Template = fmt.Sprintf("broken-%d", m.random.IntN(3))
	}
	for _, plugin := range set {
		pod.Plugins = append(pod.Plugins, plugin.Name)
	}
	if migration, ok := m.migrations[requirement.MigrationName()]; ok && IsMigrated(&migration) {
		pod.Gated = false
	}
	switch m.random.IntN(10) {
	case 0:
		pod.Unusable = "it is a mirror pod"
	case 1:
		pod.Namespace, pod.Gated = "staging", false
	}
	m.pods[pod.Name] = pod
	m.logf("pod %s requires %s (%s), gated %v", pod.Name, set.request(), requirement.MigrationName(), pod.Gated)
}

func (m *model) endJobs(result func(*modelJob) Result) {
	for _, name := range slices.Sorted(maps.Keys(m.jobs)) {
		job := m.jobs[name]
		if job.Done || job.Pod.Ended || !job.canStart() {
			continue
		}
		if !job.Pod.Started && m.random.IntN(2) == 0 {
			job.Pod = JobPod{Started: true, Running: true}
			m.logf("Job %s runs", name)
			continue
		}
		ended := result(job)
		m.logf("Job %s ends: %+v", name, ended)
		if m.random.IntN(4) == 0 {
			m.logf("a mesh keeps the pod of Job %s running", name)
			job.Pod = JobPod{Started: true, Ended: true, Result: ended}
			continue
		}
		job.Result, job.Done, job.Pod = ended, true, JobPod{Started: true}
	}
}

// runScript does what job.sh does to the database, with a Kong that has the migrations of the Job's pod.
func (m *model) runScript(job *modelJob) Result {
	for range 10 {
		pendingLines, fresh := m.list(job)
		switch {
		case len(pendingLines) > 0 && m.mayFinish(job, pendingLines):
			for _, line := range pendingLines {
				plugin, names, _ := strings.Cut(line, ": ")
				for name := range strings.SplitSeq(names, ", ") {
					delete(m.pending, plugin+": "+name)
					m.executed[plugin+": "+name] = true
				}
			}
		case len(pendingLines) > 0 && (job.Step == stepFinish || len(fresh) > 0):
			return Result{outcomeBlocked, pendingLines}
		case len(pendingLines) > 0:
			return Result{outcomePending, pendingLines}
		case len(fresh) > 0 && job.Step == stepUp:
			for _, key := range fresh {
				if strings.HasSuffix(key, "_t") {
					m.pending[key] = true
				} else {
					m.executed[key] = true
				}
			}
		default:
			return Result{outcome: outcomeDone}
		}
	}
	m.fatalf("the script of %s does not end", job.Name)
	return Result{}
}

// list returns what "kong migrations list" prints in the pod of a Job: lines of pending migrations, and new ones.
func (m *model) list(job *modelJob) (pendingLines, fresh []string) {
	for _, plugin := range job.start.From.Requirement.Plugins {
		var pending []string
		for _, migration := range plugin.Migrations {
			key := plugin.Name + ": " + migration.Name
			switch {
			case m.pending[key]:
				pending = append(pending, migration.Name)
			case !m.executed[key]:
				fresh = append(fresh, key)
			}
		}
		if len(pending) > 0 {
			pendingLines = append(pendingLines, plugin.Name+": "+strings.Join(pending, ", "))
		}
	}
	return pendingLines, fresh
}

func (m *model) mayFinish(job *modelJob, pending []string) bool {
	if job.start.Finish == finishNamed {
		return !slices.ContainsFunc(pending, func(line string) bool { return !slices.Contains(job.start.Pending, line) })
	}
	return job.start.Finish == finishAll
}
