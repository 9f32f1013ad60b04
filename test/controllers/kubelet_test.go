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
	"kongdao.io/kongdao/test/cluster"
)

// jobEnd is how the script of a Job ended.
type jobEnd struct {
	code    int32
	message string
}

// The results that job.sh writes.
func done() jobEnd                { return jobEnd{0, "done\n"} }
func pending() jobEnd             { return jobEnd{0, "pending\ndao-test: " + next + "\n"} }
func blocked(lines string) jobEnd { return jobEnd{10, "blocked\n" + lines} }
func failed(output string) jobEnd { return jobEnd{13, "failed\n" + output} }

// endJob ends the pod of a Job as the kubelet does, and waits until the Job is done.
func endJob(t *testing.T, job *batchv1.Job, with jobEnd) {
	t.Helper()
	endPodOf(t, job, with)
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		if !isDone(job) {
			return fmt.Errorf("job %s is not done: %+v", job.Name, job.Status)
		}
		return nil
	})
}

// endPodOf ends the running pod of a Job.
func endPodOf(t *testing.T, job *batchv1.Job, with jobEnd) *corev1.Pod {
	t.Helper()
	var ended *corev1.Pod
	cluster.Eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		hasLabel := client.MatchingLabels{batchv1.JobNameLabel: job.Name}
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(job.Namespace), hasLabel); err != nil {
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
	endPod(t, ended, with)
	return ended
}

// endPod ends a pod.
func endPod(t *testing.T, pod *corev1.Pod, with jobEnd) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		pod.Status.Phase = corev1.PodSucceeded
		if with.code != 0 {
			pod.Status.Phase = corev1.PodFailed
		}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: with.code, Message: with.message, StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
			}},
		}}
		return webhook.Admin.Status().Update(ctx, pod)
	})
}

func isDone(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(condition batchv1.JobCondition) bool {
		return condition.Status == corev1.ConditionTrue &&
			(condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed)
	})
}

// makeReady lets pods run and become ready.
func makeReady(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		cluster.Eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
			if len(pod.Spec.SchedulingGates) > 0 {
				return fmt.Errorf("pod %s cannot run: it has the gates %v", pod.Name, pod.Spec.SchedulingGates)
			}
			pod.Status.Phase = corev1.PodRunning
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
			}}
			pod.Status.Conditions = []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
			}
			return webhook.Admin.Status().Update(ctx, pod)
		})
	}
}

// schedule gives a pod without gates a node. It is then deleted only with a grace period of 0, because no kubelet runs.
func schedule(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	node := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "a-node"}}
	if err := webhook.Admin.SubResource("binding").Create(t.Context(), pod, node); err != nil {
		t.Fatal(err)
	}
}

// isGated reports whether a pod waits for its migration.
func isGated(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: annotations.MigrationsGate})
}

// podsOf waits until a number of pods has the label app and passes a check. It returns these pods.
func podsOf(t *testing.T, namespace, app string, count int, check func(*corev1.Pod) bool) []*corev1.Pod {
	t.Helper()
	var found []*corev1.Pod
	cluster.Eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		hasLabel := client.MatchingLabels{"app": app}
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(namespace), hasLabel); err != nil {
			return err
		}
		found = nil
		for i := range pods.Items {
			if check(&pods.Items[i]) {
				found = append(found, &pods.Items[i])
			}
		}
		if len(found) != count {
			return fmt.Errorf("%d of the %d pods of %s pass the check, want %d", len(found), len(pods.Items), app, count)
		}
		return nil
	})
	return found
}

// wantUngated waits until pods do not have our gate.
func wantUngated(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		cluster.Eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
			if isGated(pod) {
				return fmt.Errorf("pod %s still has the gate", pod.Name)
			}
			return nil
		})
	}
}
