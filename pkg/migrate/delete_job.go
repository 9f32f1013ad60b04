package migrate

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// startDeadline is how long the pod of a Job may take to start. Then a new Job starts, for example on another node.
const startDeadline = 10 * time.Minute

// deleteJob plans to delete a Job that blocks the database although Kong does not run:
//   - Its pod never started, and no pod from the same template waits, or a newer pod has another template, or the Job's
//     pod has not started for long. A new Job can then start from a pod as it is now. Otherwise a wrong image, which
//     the workload no longer has, would block the database.
//   - Kong's container has ended, and a container that a mesh added runs forever.
func (p *planner) deleteJob() {
	for i := range p.Jobs {
		job := &p.Jobs[i]
		if job.Done || job.OrphanedPod != "" || job.Pod.Started && !job.Pod.Ended || job.Migration == "" {
			continue
		}
		if job.Pod.Ended {
			p.plan.DeleteJob = job
			return
		}
		overdue := metav1.NewTime(job.Created.Add(startDeadline))
		if p.Now.Before(&overdue) && (job.Template == "" || p.isRequired(job) && !p.isFixed(job)) {
			p.requeueAt(overdue)
			continue
		}
		p.plan.DeleteJob = job
		return // there is only one active Job
	}
}

// isFixed reports whether a Job cannot start, and a newer pod has another template. The pods of the old template may
// wait as long as those of the new one: a Deployment with maxUnavailable 0 keeps them.
func (p *planner) isFixed(job *Job) bool {
	at := slices.IndexFunc(p.migrations, func(m *v1alpha1.PluginMigration) bool { return m.Name == job.Migration })
	if at < 0 || job.Pod.CannotStart == "" {
		return false
	}
	newest, _ := p.podToMigrateWith(p.migrations[at])
	return newest != nil && newest.Template != job.Template && job.Created.Before(&newest.Created)
}

// isRequired reports whether a pod requires the migration of a Job and was made from the same template.
func (p *planner) isRequired(job *Job) bool {
	return slices.ContainsFunc(p.requiring[job.Migration], func(pod *Pod) bool {
		return !pod.Ending && pod.Template == job.Template
	})
}
