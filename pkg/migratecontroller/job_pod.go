package migratecontroller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/migrate"
)

// podCreationTime is how long the Job controller may take to create a pod.
const podCreationTime = 5 * time.Second

// jobPod returns the state of the last pod of a Job. It reads the pods again only after some time, or if live is set.
func (c *Controller) jobPod(ctx context.Context, job *batchv1.Job, live bool) (migrate.JobPod, error) {
	if state, ok := c.jobPods.get(job.UID); ok && !live {
		return state, nil
	}
	pods, err := c.podsOf(ctx, job)
	if err != nil {
		return migrate.JobPod{}, err
	}
	var state migrate.JobPod
	switch {
	case len(pods) > 0:
		state = jobPodOf(&pods[len(pods)-1])
		state.Started = slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return hasStarted(&pod) })
	case time.Since(job.CreationTimestamp.Time) > podCreationTime:
		if state.CannotStart, err = c.failedCreation(ctx, job); err != nil {
			return migrate.JobPod{}, err
		}
	}
	c.jobPods.set(job.UID, state)
	return state, nil
}

// failedCreation returns why a Job has no pod. Only the Events of the Job say that, for example the message of a
// ResourceQuota or of an admission webhook. It returns "" if there is no such Event.
func (c *Controller) failedCreation(ctx context.Context, job *batchv1.Job) (string, error) {
	var events corev1.EventList
	about := client.MatchingFieldsSelector{Selector: fields.Set{
		"involvedObject.uid": string(job.UID), "reason": "FailedCreate",
	}.AsSelector()}
	if err := c.Live.List(ctx, &events, client.InNamespace(job.Namespace), about); err != nil {
		return "", fmt.Errorf("read the Events of Job %q: %w", qualified(job), err)
	}
	if len(events.Items) == 0 {
		return "", nil
	}
	last := slices.MaxFunc(events.Items, func(a, b corev1.Event) int {
		return a.LastTimestamp.Compare(b.LastTimestamp.Time)
	})
	return last.Message, nil
}

// hasStarted reports whether a container of a pod runs or ran.
func hasStarted(pod *corev1.Pod) bool {
	return slices.ContainsFunc(statusesOf(pod), func(status corev1.ContainerStatus) bool {
		return status.State.Running != nil || status.State.Terminated != nil || status.LastTerminationState.Terminated != nil
	})
}

func statusesOf(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// jobPodOf returns whether Kong runs in a pod of a Job, or else why not.
func jobPodOf(pod *corev1.Pod) migrate.JobPod {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return migrate.JobPod{CannotStart: condition.Message}
		}
	}
	for _, status := range statusesOf(pod) {
		waiting := status.State.Waiting
		if waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return migrate.JobPod{CannotStart: strings.TrimSpace(waiting.Reason + " " + waiting.Message)}
		}
	}
	var state migrate.JobPod
	othersRun := false
	for _, status := range pod.Status.ContainerStatuses {
		running := status.State.Running != nil
		if status.Name == migrate.JobContainer {
			state.Running = running
		} else {
			othersRun = othersRun || running
		}
	}
	// The kubelet ends native sidecars after Kong's container, but not ordinary containers.
	if kongEnd(pod) != nil && othersRun {
		state.Ended, state.Result = true, migrate.ParseResult(terminationMessageOf(pod))
	}
	return state
}

// kongEnd returns how Kong's container of a Job's pod ended, or nil. It does not start again: the pod of a Job never
// restarts its containers.
func kongEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == migrate.JobContainer {
			return status.State.Terminated
		}
	}
	return nil
}
