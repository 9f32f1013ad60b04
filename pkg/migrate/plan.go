package migrate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Plan is what to do next. To apply it twice does no harm.
type Plan struct {
	// Create are requirements without a PluginMigration.
	Create []Requirement
	// Ungate are the pods that can start. Apply removes their gate.
	Ungate []Pod
	// StatusUpdates are the statuses to write, by the name of the PluginMigration. They always include the one of
	// StartJob.
	StatusUpdates map[string]v1alpha1.PluginMigrationStatus
	// StartJob is the only Job to start. It is nil if there is none.
	StartJob *JobStart
	// DeleteJob is a Job to delete, because its pod will never start or will never end. It is nil if there is none.
	DeleteJob *Job
	// Prune are the names of the PluginMigrations to delete.
	Prune []string
	// Finishable are the names of the migrations that "kong migrations finish" may finish now, or after FinishDelay.
	Finishable []string
	// Unusable are the pods of the namespace that require a migration, but that no Job may be made from.
	Unusable []Pod
	// RequeueAfter is when to plan again even if nothing changes. It is 0 if this is not necessary.
	RequeueAfter time.Duration
}

// FinishMode says which pending migrations a Job may finish.
type FinishMode string

// The finish modes.
const (
	finishNone  FinishMode = "none"
	finishNamed FinishMode = "named"
	finishAll   FinishMode = "all"
)

// JobStart describes a Job to start.
type JobStart struct {
	// Migration is the name of the PluginMigration.
	Migration string
	Step      Step
	Attempt   int32
	Finish    FinishMode
	// Pending are the migrations that the Job may finish, if Finish is finishNamed.
	Pending []string
	// From is the pod whose Kong container the Job runs.
	From Pod
}

// planner makes one plan.
type planner struct {
	Snapshot
	plan Plan
	// migrations are copies of the snapshot's, the oldest first. The planner changes their statuses.
	migrations []*v1alpha1.PluginMigration
	// requiring are the pods of the namespace by the name of the migration that they require.
	requiring map[string][]*Pod
	// managed are the plugins from our sources: those that a migration or a pod has. Other plugins are a part of Kong.
	managed map[string]bool
	// used reports whether pods of the namespace use the database.
	used bool
	// running are the pods without our gate, and those whose gate this plan removes.
	running []*Pod
	// activeJob names the Job that runs on the database. It is empty if none does.
	activeJob string
}

// Plan returns what to do next. It does not change the snapshot.
func (s Snapshot) Plan() Plan {
	p := newPlanner(s)
	p.createMigrations()
	// First update all statuses from Jobs, because the decisions about one migration depend on the others.
	for _, migration := range p.migrations {
		p.observe(migration)
	}
	p.ungatePods()
	p.deleteJob()
	for _, migration := range p.migrations {
		p.planNextJob(migration)
	}
	p.markUnused()
	p.collectStatusUpdates()
	p.prune()
	return p.plan
}

func newPlanner(s Snapshot) *planner {
	p := &planner{Snapshot: s, plan: Plan{StatusUpdates: map[string]v1alpha1.PluginMigrationStatus{}}}
	p.ignoreForeignPods()
	for i := range s.Migrations {
		migration := s.Migrations[i].DeepCopy()
		migration.Status.ObservedGeneration = migration.Generation
		p.migrations = append(p.migrations, migration)
	}
	slices.SortFunc(p.migrations, func(a, b *v1alpha1.PluginMigration) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	p.indexPods()
	for _, job := range s.Jobs {
		if !job.Done {
			p.activeJob = job.String()
		}
	}
	return p
}

// ignoreForeignPods removes pods of other namespaces that never ran from the snapshot. Anyone who can create pods in
// any namespace could otherwise block a database with a pod that is never scheduled.
func (p *planner) ignoreForeignPods() {
	ignored := func(pod Pod) bool { return pod.Namespace != p.Namespace && !pod.Started }
	if slices.ContainsFunc(p.Pods, ignored) {
		p.Pods = slices.DeleteFunc(slices.Clone(p.Pods), ignored)
	}
}

// indexPods sets p.requiring and p.managed, so that a plan does not go through all pods for each migration.
func (p *planner) indexPods() {
	p.requiring, p.managed = map[string][]*Pod{}, map[string]bool{}
	for _, migration := range p.migrations {
		for _, plugin := range migration.Spec.Plugins {
			p.managed[plugin.Name] = true
		}
	}
	for i := range p.Pods {
		pod := &p.Pods[i]
		p.used = p.used || pod.Namespace == p.Namespace
		if pod.Unusable == "" { // its injection record can be forged otherwise
			for _, plugin := range pod.Requirement.Plugins {
				p.managed[plugin.Name] = true
			}
		}
		if name := pod.migrationName(); name != "" && pod.Namespace == p.Namespace {
			p.requiring[name] = append(p.requiring[name], pod)
			if pod.Unusable != "" {
				p.plan.Unusable = append(p.plan.Unusable, *pod)
			}
		}
	}
}

// createMigrations plans a PluginMigration for each requirement without one. Running pods count too: if you delete a
// PluginMigration, the controller tries it again. Unusable pods do not count.
func (p *planner) createMigrations() {
	if p.Excluded {
		return
	}
	known := map[string]bool{}
	for _, migration := range p.migrations {
		known[migration.Name] = true
	}
	for i := range p.Pods {
		pod := &p.Pods[i]
		name := pod.migrationName()
		if name == "" || pod.Namespace != p.Namespace || pod.Ending || pod.Unusable != "" || known[name] {
			continue
		}
		known[name] = true
		p.plan.Create = append(p.plan.Create, pod.Requirement)
	}
}

// ungatePods plans to remove the gates of pods whose migration is complete, and sets p.running.
func (p *planner) ungatePods() {
	migrated := map[string]bool{}
	for _, migration := range p.migrations {
		migrated[migration.Name] = IsMigrated(migration)
	}
	for i := range p.Pods {
		pod := &p.Pods[i]
		if pod.Gated {
			if pod.Namespace != p.Namespace || !migrated[pod.migrationName()] {
				continue
			}
			p.plan.Ungate = append(p.plan.Ungate, *pod)
		}
		p.running = append(p.running, pod)
	}
}

// collectStatusUpdates adds to the plan the statuses that differ from the stored ones.
func (p *planner) collectStatusUpdates() {
	for _, migration := range p.migrations {
		summarize(&migration.Status, p.Now)
		starts := p.plan.StartJob != nil && p.plan.StartJob.Migration == migration.Name
		if starts || !equality.Semantic.DeepEqual(p.stored(migration).Status, migration.Status) {
			p.plan.StatusUpdates[migration.Name] = migration.Status
		}
	}
}

// stored returns a migration as the API server has it.
func (p *planner) stored(migration *v1alpha1.PluginMigration) *v1alpha1.PluginMigration {
	return &p.Migrations[slices.IndexFunc(p.Migrations, func(stored v1alpha1.PluginMigration) bool {
		return stored.Name == migration.Name
	})]
}

// requeueAt plans again just after a time. The earliest time of a plan counts.
func (p *planner) requeueAt(at metav1.Time) {
	after := time.Duration(max(at.Unix()-p.Now.Unix()+1, 1)) * time.Second
	if p.plan.RequeueAfter == 0 || after < p.plan.RequeueAfter {
		p.plan.RequeueAfter = after
	}
}
