package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// migrationsIn returns the PluginMigrations of a namespace, the oldest first.
func migrationsIn(ctx context.Context, namespace string) ([]v1alpha1.PluginMigration, error) {
	var migrations v1alpha1.PluginMigrationList
	err := webhook.Admin.List(ctx, &migrations, client.InNamespace(namespace))
	slices.SortFunc(migrations.Items, func(a, b v1alpha1.PluginMigration) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return migrations.Items, err
}

// migrationInPhase waits until the PluginMigration of a request is in a phase.
func migrationInPhase(t *testing.T, namespace, request string, phase v1alpha1.Phase) *v1alpha1.PluginMigration {
	t.Helper()
	return migrationThat(t, namespace, request, func(found *v1alpha1.PluginMigration) error {
		if found.Status.Phase != phase {
			return fmt.Errorf("%s is in phase %s, want %s: %s", found.Name, found.Status.Phase, phase, found.Status.Message)
		}
		return nil
	})
}

// migrationThat waits until the PluginMigration of a request passes a check.
func migrationThat(
	t *testing.T, namespace, request string, check func(*v1alpha1.PluginMigration) error,
) *v1alpha1.PluginMigration {
	t.Helper()
	var found *v1alpha1.PluginMigration
	cluster.Eventually(t, func(ctx context.Context) error {
		migrations, err := migrationsIn(ctx, namespace)
		if err != nil {
			return err
		}
		for i := range migrations {
			if migrations[i].Spec.Request == request {
				found = &migrations[i]
				return check(found)
			}
		}
		return fmt.Errorf("none of %d PluginMigrations is for %s", len(migrations), request)
	})
	return found
}

// wantMessage waits until a PluginMigration has a reason, and a message that contains these texts. They are those of
// the first of the conditions Migrated and Finished that is not True.
func wantMessage(t *testing.T, namespace, request, reason string, texts ...string) *v1alpha1.PluginMigration {
	t.Helper()
	return migrationThat(t, namespace, request, func(found *v1alpha1.PluginMigration) error {
		conditionType := v1alpha1.ConditionMigrated
		if meta.IsStatusConditionTrue(found.Status.Conditions, conditionType) {
			conditionType = v1alpha1.ConditionFinished
		}
		condition := meta.FindStatusCondition(found.Status.Conditions, conditionType)
		if condition == nil || condition.Status != metav1.ConditionFalse || condition.Reason != reason {
			return fmt.Errorf("no condition has the reason %s: %+v", reason, found.Status.Conditions)
		}
		for _, text := range texts {
			if !strings.Contains(condition.Message, text) || found.Status.Message != condition.Message {
				return fmt.Errorf("%q is not in the message: %s", text, condition.Message)
			}
		}
		return nil
	})
}

// jobsIn returns the Jobs of a namespace that kongdao created, the oldest first.
func jobsIn(ctx context.Context, namespace string) ([]batchv1.Job, error) {
	var jobs batchv1.JobList
	err := webhook.Admin.List(ctx, &jobs, client.InNamespace(namespace), client.HasLabels{annotations.Migration})
	jobs.Items = slices.DeleteFunc(jobs.Items, func(job batchv1.Job) bool { return !isFromKongdao(&job) })
	slices.SortFunc(jobs.Items, func(a, b batchv1.Job) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return jobs.Items, err
}

// runningJob waits for the running Job of a namespace. It fails the test if the Job runs another step.
func runningJob(t *testing.T, namespace, step string) *batchv1.Job {
	t.Helper()
	var found *batchv1.Job
	cluster.Eventually(t, func(ctx context.Context) error {
		jobs, err := jobsIn(ctx, namespace)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(jobs, func(job batchv1.Job) bool { return !isDone(&job) })
		if at < 0 {
			return errors.New("no Job runs")
		}
		found = &jobs[at]
		return nil
	})
	if got := found.Labels[annotations.Step]; got != step {
		t.Fatalf("Job %s runs %s, want %s", found.Name, got, step)
	}
	return found
}

// wantJobs fails the test unless kongdao has created Jobs for exactly these steps in a namespace, in any order.
func wantJobs(t *testing.T, namespace string, steps ...string) []batchv1.Job {
	t.Helper()
	jobs, err := jobsIn(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(jobs))
	for i := range jobs {
		got[i] = jobs[i].Labels[annotations.Step]
	}
	slices.Sort(got)
	slices.Sort(steps)
	if !slices.Equal(got, steps) {
		t.Errorf("there are Jobs for the steps %v, want %v", got, steps)
	}
	return jobs
}

// migrateWith creates a pod, migrates its database, and makes the pod ready.
func migrateWith(t *testing.T, namespace, name, plugins string) {
	t.Helper()
	first := pod(namespace, name, plugins)
	shared.Create(t, first)
	if !isGated(first) {
		t.Fatalf("pod %s has no gate", name)
	}
	endJob(t, runningJob(t, namespace, "up"), done())
	wantUngated(t, first)
	makeReady(t, first)
	migrationInPhase(t, namespace, plugins, v1alpha1.PhaseFinished)
}
