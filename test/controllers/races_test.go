package controllers

import (
	"context"
	"fmt"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestTwoDeploymentsOnOneDatabase proves that they share one PluginMigration and
// one Job.
func TestTwoDeploymentsOnOneDatabase(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	create(t, deployment(ns, "blue", 2), deployment(ns, "green", 2))
	waiting := slices.Concat(podsOf(t, ns, "blue", 2, isGated), podsOf(t, ns, "green", 2, isGated))
	end(t, job(t, ns, "up"), done())
	lifted(t, waiting...)
	record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up")
	if records, err := recordsOf(t.Context(), ns); err != nil || len(records) != 1 {
		t.Errorf("%d PluginMigrations, want 1: %v", len(records), err)
	}
}

// TestSetsThatRace proves that several plugin sets which come at once for one
// database are migrated one after the other, each by one Job: that never two are
// active is watched for all tests.
func TestSetsThatRace(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	const sets = 6
	pods := make([]*corev1.Pod, 0, 2*sets)
	for i := range sets {
		plugin := fmt.Sprintf("plugin-%d", i)
		source(t, ns, plugin, "1.0.0", base, "CREATE "+plugin)
		pods = append(pods, pod(ns, plugin+"-a", plugin), pod(ns, plugin+"-b", plugin))
	}
	if err := inParallel(len(pods), len(pods), func(i int) error { return webhook.Admin.Create(t.Context(), pods[i]) }); err != nil {
		t.Fatal(err)
	}
	for range sets {
		running := job(t, ns, "up")
		for _, other := range recordsNot(t, ns, running.Labels[annotations.Migration]) {
			waitsFor(t, ns, other.Spec.Request, v1alpha1.ReasonOtherJobRunning, running.Name, "runs on the same database")
		}
		end(t, running, done())
	}
	lifted(t, pods...)
	wantJobs(t, ns, slices.Repeat([]string{"up"}, sets)...)
}

// recordsNot are the PluginMigrations that have not begun, but for one.
func recordsNot(t *testing.T, namespace, name string) []v1alpha1.PluginMigration {
	t.Helper()
	records, err := recordsOf(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(records, func(record v1alpha1.PluginMigration) bool {
		return record.Name == name || record.Status.Attempts > 0
	})
}

// TestAThirdReleaseBeforeTheSecondIsFinished proves that an "up" which Kong would
// deny (K11) waits for the "finish" of the release before, whose pods have to be
// there for that.
func TestAThirdReleaseBeforeTheSecondIsFinished(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	source(t, ns, "dao-test", "1.2.0", base, "CREATE", next, "ALTER", "002_110_to_120", "DROP")
	second, third := pod(ns, "second", "dao-test@1.1.0"), pod(ns, "third", "dao-test@1.2.0")
	create(t, second)
	end(t, job(t, ns, "up"), pending())
	lifted(t, second)
	create(t, third)
	waitsFor(t, ns, "dao-test@1.2.0", v1alpha1.ReasonPendingMigrations, "must be finished first. Pending: dao-test: "+next)
	serve(t, second)
	end(t, job(t, ns, "finish"), done())
	end(t, job(t, ns, "up"), done())
	lifted(t, third)
	wantJobs(t, ns, "up", "finish", "up")
}

// TestTwoNamespacesOnOneDatabase proves that "finish" waits for older pods of
// another namespace too. Each has a PluginMigration of its own.
func TestTwoNamespacesOnOneDatabase(t *testing.T) {
	t.Parallel()
	one, other := namespace(t), namespace(t)
	shared := func(namespace, name, plugins string) *corev1.Pod {
		made := pod(namespace, name, plugins)
		made.Spec.Containers[0].Env[0].Value = "postgres." + one + ".svc"
		return made
	}
	daoTest(t, one)
	daoTest(t, other)
	old, young := shared(one, "old", "dao-test@1.0.0"), shared(other, "young", "dao-test@1.1.0")
	create(t, old)
	end(t, job(t, one, "up"), done())
	serve(t, old)
	create(t, young)
	end(t, job(t, other, "up"), pending())
	serve(t, young)
	waitsFor(t, other, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, `"`+one+`/old"`)
	remove(t, old)
	end(t, job(t, other, "finish"), done())
	record(t, other, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestARunnerThatOutlivesItsJob proves that no second runner starts beside a pod
// whose Job went with its deleted record, and that one does when that pod is gone.
func TestARunnerThatOutlivesItsJob(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	create(t, pod(ns, "first", "dao-test@1.1.0"))
	old := job(t, ns, "up")
	var runner *corev1.Pod
	eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(ns), client.MatchingLabels{batchv1.JobNameLabel: old.Name}); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("job %s has %d pods", old.Name, len(pods.Items))
		}
		runner = &pods.Items[0]
		return nil
	})
	const held = "kongdao.io/held-by-a-test"
	change(t, runner, func(pod *corev1.Pod) { pod.Finalizers = append(pod.Finalizers, held) })
	remove(t, record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseMigrating))
	waitsFor(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOtherJobRunning, "Pod", runner.Name)
	wantJobs(t, ns)
	change(t, runner, func(pod *corev1.Pod) {
		pod.Finalizers = slices.DeleteFunc(pod.Finalizers, func(name string) bool { return name == held })
	})
	end(t, job(t, ns, "up"), pending())
}
