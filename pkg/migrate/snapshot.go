package migrate

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Snapshot is what the controller knows about one database in one namespace.
type Snapshot struct {
	Namespace string
	Now       metav1.Time
	// Migrations are the PluginMigrations of the database in the namespace.
	Migrations []v1alpha1.PluginMigration
	// Pods are the pods whose Kong uses the database, in all namespaces. They do not include pods that have ended.
	Pods []Pod
	// Jobs are the Jobs on the database in the namespace.
	Jobs []Job
	// HistoryLimit is the number of migrations to keep that no pod requires.
	HistoryLimit int
	// AbandonedAfter is how long to keep migrations that do not change while no pod of the namespace uses the database. If
	// it is 0, they stay.
	AbandonedAfter time.Duration
	// FinishDelay is how long "kong migrations finish" must be possible before it starts, because events about pods can be
	// late. FinishableSince says, by the name of the migration, since when all plans of the controller have allowed it.
	FinishDelay     time.Duration
	FinishableSince map[string]metav1.Time
	// Excluded reports whether kongdao does not work in the namespace. No Job starts then.
	Excluded bool
}

// Pod is what a plan needs to know about a pod.
type Pod struct {
	Namespace, Name string
	UID             types.UID
	// Requirement has no plugins if the pod requires no migration.
	Requirement Requirement
	// Migration is the name of the PluginMigration that the pod requires. It is empty if the pod requires none. If it is
	// empty although the pod requires one, each plan computes it.
	Migration string
	// Unusable says why no Job may be made from the pod: see CanRunJob. It is empty if one may. An unusable pod causes no
	// PluginMigration, but its Kong uses the database.
	Unusable string
	Created  metav1.Time
	// Template identifies the pod template that the pod was made from: see TemplateOf.
	Template string
	// Plugins are all plugins that Kong in the pod loads. It is nil if only Kong knows.
	Plugins []string
	// Gated reports whether the pod waits for its migration.
	Gated bool
	// Started reports whether the pod has a node and a container of it has started. Pods of other namespaces count only
	// then.
	Started bool
	// Ready reports whether the pod serves requests.
	Ready bool
	// Ending reports whether the pod was deleted and is shutting down.
	Ending bool
}

// migrationName returns the name of the PluginMigration that the pod requires, or "".
func (p *Pod) migrationName() string {
	if p.Migration != "" || len(p.Requirement.Plugins) == 0 {
		return p.Migration
	}
	return p.Requirement.MigrationName()
}

// key returns "namespace/name".
func (p *Pod) key() string { return p.Namespace + "/" + p.Name }

// Step is the Kong command that a Job runs.
type Step string

// The steps of a migration.
const (
	stepUp     Step = "up"
	stepFinish Step = "finish"
)

// Job is what a plan needs to know about a Job.
type Job struct {
	Name string
	// Migration is the name of the PluginMigration that owns the Job. It is empty if none does.
	Migration string
	Step      Step
	Attempt   int32
	// Done reports whether no pod of the Job runs or will run.
	Done bool
	// Result is how the Job ended, if it is done.
	Result Result
	// UID identifies the Job, Template the pod template that it was made from, and Created is when that was.
	UID      types.UID
	Template string
	Created  metav1.Time
	// Pod is the state of the Job's last pod, if the Job is not done.
	Pod JobPod
	// OrphanedPod is the name of a pod that still runs although its Job was deleted. The other fields are then unknown.
	OrphanedPod string
}

// JobPod is the state of the pod of a Job.
type JobPod struct {
	// Started reports whether a container of the pod runs or ran. Running reports whether Kong's container runs now.
	Started, Running bool
	// Ended reports whether Kong's container has ended, but the pod does not end, because a mesh has added a container.
	// Result is then how it ended.
	Ended  bool
	Result Result
	// CannotStart says why the pod does not run, or why there is none. It is empty if the pod runs or is about to.
	CannotStart string
}

func (j *Job) String() string {
	if j.OrphanedPod != "" {
		return fmt.Sprintf("Pod %q of a deleted Job", j.OrphanedPod)
	}
	return fmt.Sprintf("Job %q", j.Name)
}
