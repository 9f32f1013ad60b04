package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Snapshot is all that there is to know of one database in one namespace.
type Snapshot struct {
	// Records are the database's PluginMigrations in the namespace.
	Records []v1alpha1.PluginMigration
	// Pods are those whose Kong uses the database and that have not ended, of
	// the namespace and of others.
	Pods []Pod
	// Jobs are those of the records.
	Jobs []Job
	// Namespace is where the records are.
	Namespace string
	Now       metav1.Time
	// History is how many records are kept that no pod needs.
	History int
}

// Pod is what a plan has to know of a pod.
type Pod struct {
	Namespace, Name string
	// Requirement is the zero value but for the image for a pod that needs no migration of ours.
	Requirement Requirement
	// Plugins are those that Kong in it loads, ours or not; nil where only Kong knows.
	Plugins []string
	// Gated: it waits for us. Ready: it serves. Ending: it was told to end.
	Gated, Ready, Ending bool
}

// record names the PluginMigration that the pod needs, "" where it needs none.
func (p *Pod) record() string {
	if len(p.Requirement.Set) == 0 {
		return ""
	}
	return p.Requirement.MigrationName()
}

func (p *Pod) key() string { return p.Namespace + "/" + p.Name }

// Step is what a Job runs.
type Step string

// The steps.
const (
	Up     Step = "up"
	Finish Step = "finish"
)

// Job is what a plan has to know of a Job.
type Job struct {
	Name, Record string
	Step         Step
	Attempt      int32
	// Done: no pod of it runs, or will.
	Done bool
	// Result is what it came to, once it is done.
	Result Result
	// Waits says why its pod does not run, "" where it does.
	Waits string
	// Pod names the pod that is left of it where the Job itself is gone, "" where it is there.
	Pod string
}

func (j *Job) String() string {
	if j.Pod != "" {
		return fmt.Sprintf("pod %q, whose Job was deleted,", j.Pod)
	}
	return fmt.Sprintf("Job %q", j.Name)
}

// Plan is what has to be done next. Doing it twice does no harm.
type Plan struct {
	// Create are needs that have no record yet.
	Create []Requirement
	// Lift are pods whose gate may go.
	Lift []Pod
	// Changes are the statuses that are others now, by the record's name.
	Changes map[string]v1alpha1.PluginMigrationStatus
	// Start is the one Job to start, nil for none.
	Start *Start
	// Forget names records that nobody needs any more.
	Forget []string
	// Again is when to look again though nothing has happened, in seconds; 0 for never.
	Again int64
}

// FinishMode says which pending migrations a Job may finish.
type FinishMode string

// The modes.
const (
	FinishNone  FinishMode = "none"
	FinishNamed FinishMode = "named"
	FinishAll   FinishMode = "all"
)

// Start is a Job to start.
type Start struct {
	Record  string
	Step    Step
	Attempt int32
	Finish  FinishMode
	// Pending are those that it may finish, where Finish is FinishNamed.
	Pending []string
	// From is the pod that the Job's container is taken from.
	From Pod
}

// planner makes one plan.
type planner struct {
	Snapshot
	plan Plan
	// records are in the order in which they were made.
	records []*v1alpha1.PluginMigration
	// running are the pods that do not wait for us, or will not after this plan.
	running []*Pod
	// busy says which Job runs, "" for none.
	busy string
}

// Plan says what has to be done next.
func (w Snapshot) Plan() Plan {
	p := planner{Snapshot: w, plan: Plan{Changes: map[string]v1alpha1.PluginMigrationStatus{}}}
	for i := range w.Records {
		p.records = append(p.records, w.Records[i].DeepCopy())
	}
	slices.SortFunc(p.records, func(a, b *v1alpha1.PluginMigration) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	for _, job := range w.Jobs {
		if !job.Done {
			p.busy = job.String()
		}
	}
	p.create()
	// What Jobs came to is known of all before anything is decided of one.
	for _, record := range p.records {
		p.absorb(record)
	}
	p.lift()
	for _, record := range p.records {
		p.decide(record)
	}
	p.forget()
	return p.plan
}

// lift lets the pods go whose record is migrated.
func (p *planner) lift() {
	migrated := map[string]bool{}
	for _, record := range p.records {
		migrated[record.Name] = isMigrated(record)
	}
	for i := range p.Pods {
		pod := &p.Pods[i]
		if pod.Gated && pod.Namespace == p.Namespace && migrated[pod.record()] {
			p.plan.Lift = append(p.plan.Lift, *pod)
		} else if pod.Gated {
			continue
		}
		p.running = append(p.running, pod)
	}
}

// create has a record made for each need that has none: also of pods that run,
// so that deleting a record has it tried again.
func (p *planner) create() {
	seen := map[string]bool{}
	for _, record := range p.records {
		seen[record.Name] = true
	}
	for i := range p.Pods {
		pod := &p.Pods[i]
		if name := pod.record(); name != "" && pod.Namespace == p.Namespace && !pod.Ending && !seen[name] {
			seen[name] = true
			p.plan.Create = append(p.plan.Create, pod.Requirement)
		}
	}
}

// of yields the pods that need a record.
func (p *planner) of(record *v1alpha1.PluginMigration) []*Pod {
	var pods []*Pod
	for i := range p.Pods {
		if p.Pods[i].Namespace == p.Namespace && p.Pods[i].record() == record.Name {
			pods = append(pods, &p.Pods[i])
		}
	}
	return pods
}

// again has the plan looked at again at a time.
func (p *planner) again(at metav1.Time) {
	seconds := at.Unix() - p.Now.Unix() + 1
	if p.plan.Again == 0 || seconds < p.plan.Again {
		p.plan.Again = max(seconds, 1)
	}
}
