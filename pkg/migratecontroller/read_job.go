package migratecontroller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
)

// maxAttempts is the largest attempt that the controller accepts from a label. With one attempt in five minutes, a
// migration reaches it after ten years.
const maxAttempts = 1 << 20

// readJob returns what a plan needs to know about a Job. It reads the result, and the present state of the Job's pod,
// only if live is set.
func (c *Controller) readJob(
	ctx context.Context, job *batchv1.Job, migrations []v1alpha1.PluginMigration, live bool,
) (migrate.Job, error) {
	read := migrate.Job{
		Name: job.Name, Step: migrate.Step(job.Labels[annotations.Step]), Attempt: attemptOf(job), Done: isDone(job),
		UID: job.UID, Template: job.Labels[annotations.Template], Created: job.CreationTimestamp,
	}
	at := slices.IndexFunc(migrations, func(migration v1alpha1.PluginMigration) bool {
		return metav1.IsControlledBy(job, &migration)
	})
	if at < 0 {
		return read, nil
	}
	read.Migration = migrations[at].Name
	// The plan uses the result of the current Job only: the one in the status, or a newer one.
	status := migrations[at].Status
	running := status.Phase == v1alpha1.PhaseMigrating || status.Phase == v1alpha1.PhaseFinishing
	isCurrent := running || read.Attempt > status.Attempts
	if read.Done && (!isCurrent || !live) {
		return read, nil
	}
	if read.Done {
		message, err := c.terminationMessage(ctx, job)
		read.Result = migrate.ParseResult(message)
		if message == "" && !hasCondition(job, batchv1.JobFailed) {
			read.Result = migrate.LostResult()
		}
		return read, err
	}
	var err error
	read.Pod, err = c.jobPod(ctx, job, live)
	return read, err
}

// attemptOf returns the attempt from the label of a Job. It returns 0 if the label is invalid: the Job then only counts
// as a Job that uses the database.
func attemptOf(job *batchv1.Job) int32 {
	attempt, err := strconv.ParseInt(job.Labels[annotations.Attempt], 10, 32)
	if err != nil || attempt < 0 || attempt > maxAttempts {
		return 0
	}
	return int32(attempt)
}

func isDone(job *batchv1.Job) bool {
	return hasCondition(job, batchv1.JobComplete) || hasCondition(job, batchv1.JobFailed)
}

func hasCondition(job *batchv1.Job, wanted batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(condition batchv1.JobCondition) bool {
		return condition.Status == corev1.ConditionTrue && condition.Type == wanted
	})
}

// podsOf returns the pods of a Job, the oldest first.
func (c *Controller) podsOf(ctx context.Context, job *batchv1.Job) ([]corev1.Pod, error) {
	var pods corev1.PodList
	hasLabel := client.MatchingLabels{batchv1.JobNameLabel: job.Name}
	if err := c.Live.List(ctx, &pods, client.InNamespace(job.Namespace), hasLabel); err != nil {
		return nil, fmt.Errorf("read the pods of Job %q: %w", qualified(job), err)
	}
	// A copy of a pod has the label too, but not the owner.
	owned := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !metav1.IsControlledBy(&pod, job) })
	slices.SortStableFunc(owned, func(a, b corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return owned, nil
}

// terminationMessage returns the message that the script of a Job left. The last pod counts, or the first one with a
// message. If no pod has a message, the Job's own message counts.
func (c *Controller) terminationMessage(ctx context.Context, job *batchv1.Job) (string, error) {
	pods, err := c.podsOf(ctx, job)
	if err != nil || len(pods) == 0 {
		return failureMessage(job), err
	}
	message := terminationMessageOf(&pods[len(pods)-1])
	for i := range pods {
		message = cmp.Or(message, terminationMessageOf(&pods[i]))
	}
	return cmp.Or(message, failureMessage(job)), nil
}

// terminationMessageOf returns the termination message of a pod. Without a message it returns the reason and the exit
// code. It returns "" for a pod that has not ended.
func terminationMessageOf(pod *corev1.Pod) string {
	ended := kongEnd(pod)
	if ended == nil {
		return ""
	}
	return cmp.Or(strings.TrimSpace(ended.Message), fmt.Sprintf("%s, exit code %d", ended.Reason, ended.ExitCode))
}

// failureMessage returns why a Job failed, by its conditions.
func failureMessage(job *batchv1.Job) string {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobFailed {
			return condition.Message
		}
	}
	return ""
}
