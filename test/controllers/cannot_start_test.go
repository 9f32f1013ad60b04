package controllers

import (
	"context"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// changeJobPod changes the status of the only pod of a Job.
func changeJobPod(t *testing.T, job *batchv1.Job, change func(*corev1.PodStatus)) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		hasLabel := client.MatchingLabels{batchv1.JobNameLabel: job.Name}
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(job.Namespace), hasLabel); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("the Job has %d pods, want 1", len(pods.Items))
		}
		change(&pods.Items[0].Status)
		return webhook.Admin.Status().Update(ctx, &pods.Items[0])
	})
}

// wantNoJob waits until a Job is gone.
func wantNoJob(t *testing.T, job *batchv1.Job) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(job), job); !apierrors.IsNotFound(err) {
			return fmt.Errorf("Job %s exists: %w", job.Name, err)
		}
		return nil
	})
}

// TestJobThatCannotStart proves that the message of a PluginMigration says why the pod of its Job does not run, until
// it runs.
func TestJobThatCannotStart(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, pod(ns, "kong", "dao-test@1.0.0"))
	up := runningJob(t, ns, "up")
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobStarting, up.Name, "its pod starts")
	const reason = "0/3 nodes are available: 3 Insufficient memory."
	changeJobPod(t, up, func(status *corev1.PodStatus) {
		status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: reason},
		}
	})
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonCannotStart, up.Name, "cannot start: "+reason)
	wantEvent(t, ns, "PluginMigration", "MigrationCannotStart", reason)
	changeJobPod(t, up, func(status *corev1.PodStatus) {
		status.Conditions = nil
		status.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "sidecar"}, {Name: "kong-migrations", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}
	})
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonJobRunning, `runs "kong migrations up"`)
	endJob(t, up, done())
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
}

// TestJobWithWrongImageIsReplaced proves that a fixed pod gets a new Job. The Job of the wrong image would never start,
// and no other Job may use the database meanwhile.
func TestJobWithWrongImageIsReplaced(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	wrong := pod(ns, "wrong", "dao-test@1.0.0")
	wrong.Spec.Containers[0].Image = "kong:3.9-typo"
	shared.Create(t, wrong)
	job := runningJob(t, ns, "up")
	changeJobPod(t, job, func(status *corev1.PodStatus) {
		status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "kong-migrations", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason: "ImagePullBackOff", Message: `Back-off pulling image "kong:3.9-typo"`,
			}},
		}}
	})
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonCannotStart, "ImagePullBackOff")
	fixed := pod(ns, "fixed", "dao-test@1.0.0")
	fixed.Spec.Containers[0].Image = "kong:3.9"
	shared.Create(t, fixed)
	if err := webhook.Admin.Delete(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	wantNoJob(t, job)
	next := runningJob(t, ns, "up")
	if got := next.Spec.Template.Spec.Containers[0].Image; got != "kong:3.9" {
		t.Errorf("the new Job has the image %s", got)
	}
	endJob(t, next, done())
	wantUngated(t, fixed)
}

// TestPodThatMeshKeepsRunning proves that the result of a Job counts when Kong has ended, although a container that a
// mesh added runs forever. The Job is deleted: another one could not use the database while it exists.
func TestPodThatMeshKeepsRunning(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, made)
	job := runningJob(t, ns, "up")
	changeJobPod(t, job, func(status *corev1.PodStatus) {
		status.Phase = corev1.PodRunning
		status.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "mesh", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{Name: "kong-migrations", State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{Message: "done\n"},
			}},
		}
	})
	wantUngated(t, made)
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	wantNoJob(t, job)
}

// TestDeniedPodOfJob proves that the status has the message of the API server if it denies the pods of a Job.
func TestDeniedPodOfJob(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, made)
	restrict := func(level string) {
		t.Helper()
		namespace := &corev1.Namespace{}
		namespace.Name = ns
		patch := client.RawPatch("application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"`+level+`"}}}`))
		if err := webhook.Admin.Patch(t.Context(), namespace, patch); err != nil {
			t.Fatal(err)
		}
	}
	restrict("restricted")
	job := runningJob(t, ns, "up")
	deletePods(t, ns, job)
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonCannotStart, job.Name, "violates PodSecurity", "restricted")
	wantEvent(t, ns, "PluginMigration", "MigrationCannotStart", "violates PodSecurity")
	restrict("privileged")
	endJob(t, job, done())
	wantUngated(t, made)
}

// deletePods deletes the pods of a Job, if the Job controller has created one already.
func deletePods(t *testing.T, namespace string, job *batchv1.Job) {
	t.Helper()
	hasLabel := client.MatchingLabels{batchv1.JobNameLabel: job.Name}
	err := webhook.Admin.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(namespace), hasLabel,
		client.GracePeriodSeconds(0))
	if err != nil {
		t.Fatal(err)
	}
}
