package migrate

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// reconcile applies a plan. The controller may stop before it writes statuses.
func (m *model) reconcile() {
	snapshot := m.snapshot()
	plan := snapshot.Plan()
	m.checkOrigin(snapshot, plan)
	stops := m.random.IntN(8) == 0
	m.rememberFinishable(plan)
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
	if plan.DeleteJob != nil {
		if pod := m.jobs[plan.DeleteJob.Name].Pod; pod.Started && !pod.Ended {
			m.fatalf("Job %s is deleted while Kong runs", plan.DeleteJob.Name)
		}
		m.logf("the controller deletes Job %s", plan.DeleteJob.Name)
		delete(m.jobs, plan.DeleteJob.Name)
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
		if EventFor(&migration.Status, &status).Reason != "" {
			m.recorded[name] = true
		}
		migration.Status = status
		m.migrations[name] = migration
		m.checkConditions(&migration)
	}
	for _, name := range plan.Prune {
		m.logf("%s is pruned", name)
		if migration := m.migrations[name]; len(migration.Status.Pending) > 0 {
			m.fatalf("%s is pruned, but is not finished", name)
		}
		delete(m.migrations, name)
	}
}

// rememberFinishable does what the controller does between plans. A new leader knows nothing.
func (m *model) rememberFinishable(plan Plan) {
	before := m.finishable
	m.finishable = map[string]metav1.Time{}
	if m.random.IntN(20) == 0 {
		return
	}
	for _, name := range plan.Finishable {
		m.finishable[name] = metav1.NewTime(m.now)
		if since, known := before[name]; known {
			m.finishable[name] = since
		}
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
	if start.Finish != finishNone {
		m.checkNoOlderPods(start)
	}
	migration := m.migrations[start.Migration]
	job := &modelJob{start: start, owner: migration.UID, Job: Job{
		Name:      fmt.Sprintf("%s-%s-%d-%s", start.Migration, start.Step, start.Attempt, migration.UID),
		Migration: start.Migration, Step: start.Step, Attempt: start.Attempt,
		Template: start.From.Template, Created: metav1.NewTime(m.now),
	}}
	if !job.canStart() {
		job.Pod.CannotStart = "ErrImagePull"
	}
	m.jobs[job.Name] = job
	m.logf("Job %s starts, may finish %s %q", job.Name, start.Finish, start.Pending)
	plan.RecordJobStart(job.Name, metav1.NewTime(m.now))
}

// checkOrigin fails if a pod that no Job may be made from causes a PluginMigration or a Job, or if a Job finishes
// migrations too early.
func (m *model) checkOrigin(snapshot Snapshot, plan Plan) {
	for _, requirement := range plan.Create {
		if !slices.ContainsFunc(snapshot.Pods, func(pod Pod) bool {
			return pod.Namespace == modelNamespace && pod.Unusable == "" && pod.migrationName() == requirement.MigrationName()
		}) {
			m.fatalf("no usable pod requires %s", requirement.MigrationName())
		}
	}
	start := plan.StartJob
	if start == nil {
		return
	}
	if start.From.Namespace != modelNamespace || start.From.Unusable != "" {
		m.fatalf("the Job runs a container of %s/%s: %s", start.From.Namespace, start.From.Name, start.From.Unusable)
	}
	since, known := snapshot.FinishableSince[start.Migration]
	if start.Finish == finishNamed && (!known || m.now.Sub(since.Time) < modelFinishDelay) {
		m.fatalf("%s is finished after %v", start.Migration, m.now.Sub(since.Time))
	}
}

// checkNoOlderPods fails if a Job may finish a migration while a pod runs that loads the plugin without the migration.
func (m *model) checkNoOlderPods(start JobStart) {
	for _, pod := range m.pods {
		if pod.Namespace != modelNamespace && !pod.Started {
			continue
		}
		for key := range m.pending {
			plugin, name, _ := strings.Cut(key, ": ")
			for _, own := range pod.Requirement.Plugins {
				has := slices.ContainsFunc(own.Migrations, func(migration v1alpha1.Migration) bool {
					return migration.Name == name
				})
				mayFinish := start.Finish == finishAll || slices.ContainsFunc(start.Pending, func(line string) bool {
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
