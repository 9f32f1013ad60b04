package controllers

import (
	"context"
	"fmt"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// ending is how the script of a Job ended.
type ending struct {
	code    int32
	message string
}

// What job.sh leaves behind.
func done() ending                { return ending{0, "done\n"} }
func pending() ending             { return ending{0, "pending\ndao-test: " + next + "\n"} }
func blocked(lines string) ending { return ending{10, "blocked\n" + lines} }
func failed(words string) ending  { return ending{13, "failed\n" + words} }

// end has the pod of a Job end, as the kubelet would tell, and waits until the
// Job is over.
func end(t *testing.T, job *batchv1.Job, how ending) {
	t.Helper()
	endPod(t, job, how)
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		if !isOver(job) {
			return fmt.Errorf("job %s is not over: %+v", job.Name, job.Status)
		}
		return nil
	})
}

// endPod has the pod of a Job that has not ended yet end.
func endPod(t *testing.T, job *batchv1.Job, how ending) *corev1.Pod {
	t.Helper()
	var ended *corev1.Pod
	eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
			return err
		}
		at := slices.IndexFunc(pods.Items, func(pod corev1.Pod) bool {
			return pod.Status.Phase == corev1.PodPending && metav1.IsControlledBy(&pod, job)
		})
		if at < 0 {
			return fmt.Errorf("no pod of Job %s runs", job.Name)
		}
		ended = &pods.Items[at]
		return nil
	})
	finishPod(t, ended, how)
	return ended
}

// finishPod has a pod end.
func finishPod(t *testing.T, pod *corev1.Pod, how ending) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		pod.Status.Phase = corev1.PodSucceeded
		if how.code != 0 {
			pod.Status.Phase = corev1.PodFailed
		}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: how.code, Message: how.message, StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
			}},
		}}
		return webhook.Admin.Status().Update(ctx, pod)
	})
}

func isOver(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(condition batchv1.JobCondition) bool {
		return (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue
	})
}

// serve has pods run and be ready.
func serve(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
			if len(pod.Spec.SchedulingGates) > 0 {
				return fmt.Errorf("pod %s cannot run with gates %v", pod.Name, pod.Spec.SchedulingGates)
			}
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
			return webhook.Admin.Status().Update(ctx, pod)
		})
	}
}

// isGated reports whether a pod waits for us.
func isGated(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: annotations.MigrationsGate})
}

// podsOf waits for so many pods labelled app with a name that check is content with.
func podsOf(t *testing.T, namespace, app string, count int, check func(*corev1.Pod) bool) []*corev1.Pod {
	t.Helper()
	var found []*corev1.Pod
	eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": app}); err != nil {
			return err
		}
		found = nil
		for i := range pods.Items {
			if check(&pods.Items[i]) {
				found = append(found, &pods.Items[i])
			}
		}
		if len(found) != count {
			return fmt.Errorf("of the %d pods of %s there are %d as wanted, not %d", len(pods.Items), app, len(found), count)
		}
		return nil
	})
	return found
}

// lifted waits until a pod does not wait for us any more.
func lifted(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
			if isGated(pod) {
				return fmt.Errorf("pod %s has its gate", pod.Name)
			}
			return nil
		})
	}
}
