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
)

// recordsOf yields the PluginMigrations of a namespace, the oldest first.
func recordsOf(ctx context.Context, namespace string) ([]v1alpha1.PluginMigration, error) {
	var records v1alpha1.PluginMigrationList
	err := webhook.Admin.List(ctx, &records, client.InNamespace(namespace))
	slices.SortFunc(records.Items, func(a, b v1alpha1.PluginMigration) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return records.Items, err
}

// record waits for the PluginMigration of a request to be in a phase.
func record(t *testing.T, namespace, request string, phase v1alpha1.Phase) *v1alpha1.PluginMigration {
	t.Helper()
	return recordThat(t, namespace, request, func(found *v1alpha1.PluginMigration) error {
		if found.Status.Phase != phase {
			return fmt.Errorf("it is %s, not %s: %s", found.Status.Phase, phase, found.Status.Message)
		}
		return nil
	})
}

// recordThat waits for the PluginMigration of a request with which check is content.
func recordThat(t *testing.T, namespace, request string, check func(*v1alpha1.PluginMigration) error) *v1alpha1.PluginMigration {
	t.Helper()
	var found *v1alpha1.PluginMigration
	eventually(t, func(ctx context.Context) error {
		records, err := recordsOf(ctx, namespace)
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Spec.Request == request {
				found = &records[i]
				return check(found)
			}
		}
		return fmt.Errorf("of %d PluginMigrations none is of %s", len(records), request)
	})
	return found
}

// waitsFor waits until a PluginMigration says what it waits for, with the reason
// and with words.
func waitsFor(t *testing.T, namespace, request, reason string, words ...string) *v1alpha1.PluginMigration {
	t.Helper()
	return recordThat(t, namespace, request, func(found *v1alpha1.PluginMigration) error {
		untrue := v1alpha1.ConditionMigrated
		if meta.IsStatusConditionTrue(found.Status.Conditions, untrue) {
			untrue = v1alpha1.ConditionFinished
		}
		condition := meta.FindStatusCondition(found.Status.Conditions, untrue)
		if condition == nil || condition.Status != metav1.ConditionFalse || condition.Reason != reason {
			return fmt.Errorf("its conditions have no reason %s: %+v", reason, found.Status.Conditions)
		}
		for _, word := range words {
			if !strings.Contains(condition.Message, word) || found.Status.Message != condition.Message {
				return fmt.Errorf("%q is not in: %s", word, condition.Message)
			}
		}
		return nil
	})
}

// jobsOf yields the Jobs of a namespace that kongdao made, the oldest first.
func jobsOf(ctx context.Context, namespace string) ([]batchv1.Job, error) {
	var jobs batchv1.JobList
	err := webhook.Admin.List(ctx, &jobs, client.InNamespace(namespace), client.HasLabels{annotations.Migration})
	jobs.Items = slices.DeleteFunc(jobs.Items, func(job batchv1.Job) bool { return !isKongdaos(&job) })
	slices.SortFunc(jobs.Items, func(a, b batchv1.Job) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return jobs.Items, err
}

// job waits for the one Job of a namespace that runs, and has to be of a step.
func job(t *testing.T, namespace, step string) *batchv1.Job {
	t.Helper()
	var found *batchv1.Job
	eventually(t, func(ctx context.Context) error {
		jobs, err := jobsOf(ctx, namespace)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(jobs, func(job batchv1.Job) bool { return !isOver(&job) })
		if at < 0 {
			return errors.New("no Job runs")
		}
		found = &jobs[at]
		return nil
	})
	if got := found.Labels[annotations.Step]; got != step {
		t.Fatalf("Job %s runs %s, not %s", found.Name, got, step)
	}
	return found
}

// wantJobs fails the test unless kongdao has made Jobs of these steps in a
// namespace until now, in any order.
func wantJobs(t *testing.T, namespace string, steps ...string) []batchv1.Job {
	t.Helper()
	jobs, err := jobsOf(t.Context(), namespace)
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
		t.Errorf("Jobs of steps %v were made, want %v", got, steps)
	}
	return jobs
}

// migrated brings the database of a first pod to where its plugins need it, and
// has the pod serve.
func migrated(t *testing.T, namespace, name, plugins string) {
	t.Helper()
	first := pod(namespace, name, plugins)
	create(t, first)
	if !isGated(first) {
		t.Fatalf("pod %s does not wait", name)
	}
	end(t, job(t, namespace, "up"), done())
	lifted(t, first)
	serve(t, first)
	record(t, namespace, plugins, v1alpha1.PhaseFinished)
}
