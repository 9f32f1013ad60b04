package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// event is one thing that may happen, chosen by chance.
func (m *model) event() {
	m.now = m.now.Add(time.Duration(m.random.IntN(120)) * time.Second)
	switch m.random.IntN(12) {
	case 0, 1:
		m.podMade(modelSet(m.random.IntN(3), m.random.IntN(3)-1))
	case 2:
		m.anyPod(func(pod *Pod) { pod.Ready = !pod.Gated })
	case 3:
		m.anyPod(func(pod *Pod) { pod.Ending, pod.Ready = true, false })
	case 4:
		if name, ok := m.anyPod(func(*Pod) {}); ok {
			m.happened("pod %s is gone", name)
			delete(m.pods, name)
		}
	case 5:
		m.jobEnds(func(*modelJob) Result { return Result{Outcome: Deadline, Lines: []string{"Error: no route"}} })
	case 6:
		if m.random.IntN(4) == 0 {
			m.jobEnds(func(*modelJob) Result { return Result{Outcome: "failed", Lines: []string{"Error: SQL"}} })
		}
	case 7:
		m.anyRecord(func(name string) {
			m.happened("somebody deletes %s", name)
			delete(m.records, name)
		})
	case 8:
		if len(m.jobs) > 0 {
			names := slices.Sorted(maps.Keys(m.jobs))
			if name := names[m.random.IntN(len(names))]; m.jobs[name].Done {
				m.happened("Job %s is gone", name)
				delete(m.jobs, name)
			}
		}
	default:
		m.jobEnds(m.script)
	}
}

func (m *model) anyPod(change func(*Pod)) (string, bool) {
	if len(m.pods) == 0 {
		return "", false
	}
	names := slices.Sorted(maps.Keys(m.pods))
	name := names[m.random.IntN(len(names))]
	pod := m.pods[name]
	change(&pod)
	m.pods[name] = pod
	m.happened("pod %s: gated %v, ready %v, ending %v", name, pod.Gated, pod.Ready, pod.Ending)
	return name, true
}

func (m *model) anyRecord(do func(name string)) {
	if names := slices.Sorted(maps.Keys(m.records)); len(names) > 0 && m.random.IntN(3) == 0 {
		do(names[m.random.IntN(len(names))])
	}
}

// podMade is what admission does: a pod whose record is migrated has no gate.
func (m *model) podMade(set Set) {
	m.made++
	need := Requirement{Database: v1alpha1.Database{Key: "0123456789abcdef"}, Set: set, Image: "kong:3.9", Container: "proxy", Mode: annotations.MigrationsAuto}
	pod := Pod{Namespace: modelNamespace, Name: fmt.Sprintf("pod-%d", m.made), Requirement: need, Gated: true}
	for _, plugin := range set {
		pod.Plugins = append(pod.Plugins, plugin.Name)
	}
	if record, there := m.records[need.MigrationName()]; there && IsMigrated(&record) {
		pod.Gated = false
	}
	m.pods[pod.Name] = pod
	m.happened("pod %s of %s (%s), gated %v", pod.Name, set.Request(), need.MigrationName(), pod.Gated)
}

func (m *model) jobEnds(how func(*modelJob) Result) {
	for _, name := range slices.Sorted(maps.Keys(m.jobs)) {
		job := m.jobs[name]
		if job.Done {
			continue
		}
		job.Result = how(job)
		job.Done = true
		m.happened("Job %s ends: %+v", name, job.Result)
	}
}

// script is what job.sh makes of the database, with a Kong that has the
// migrations of the pod that the Job is made from.
func (m *model) script(job *modelJob) Result {
	for range 10 {
		var pendingLines, fresh []string
		for _, plugin := range job.start.From.Requirement.Set {
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
		switch {
		case len(pendingLines) > 0 && m.mayFinish(job, pendingLines):
			for _, line := range pendingLines {
				plugin, names, _ := strings.Cut(line, ": ")
				for name := range strings.SplitSeq(names, ", ") {
					delete(m.pending, plugin+": "+name)
					m.executed[plugin+": "+name] = true
				}
			}
		case len(pendingLines) > 0 && (job.Step == Finish || len(fresh) > 0):
			return Result{Blocked, pendingLines}
		case len(pendingLines) > 0:
			return Result{Pending, pendingLines}
		case len(fresh) > 0 && job.Step == Up:
			for _, key := range fresh {
				if strings.HasSuffix(key, "_t") {
					m.pending[key] = true
				} else {
					m.executed[key] = true
				}
			}
		default:
			return Result{Outcome: Done}
		}
	}
	m.broken("the script of %s comes to no end", job.Name)
	return Result{}
}

func (m *model) mayFinish(job *modelJob, pending []string) bool {
	if job.start.Finish == FinishNamed {
		return !slices.ContainsFunc(pending, func(line string) bool { return !slices.Contains(job.start.Pending, line) })
	}
	return job.start.Finish == FinishAll
}
