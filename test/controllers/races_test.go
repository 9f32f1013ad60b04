package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// TestTwoDeploymentsOnOneDatabase proves that two Deployments with one database share a PluginMigration and a Job.
func TestTwoDeploymentsOnOneDatabase(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, deployment(ns, "blue", 2), deployment(ns, "green", 2))
	waiting := slices.Concat(podsOf(t, ns, "blue", 2, isGated), podsOf(t, ns, "green", 2, isGated))
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, waiting...)
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up")
	if migrations, err := migrationsIn(t.Context(), ns); err != nil || len(migrations) != 1 {
		t.Errorf("there are %d PluginMigrations, want 1: %v", len(migrations), err)
	}
}

// TestManySetsOnOneDatabase proves that several sets of plugins that are requested together on one database are
// migrated one after the other, each by one Job. jobWatch checks that two Jobs never run together.
func TestManySetsOnOneDatabase(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	const sets = 6
	pods := make([]*corev1.Pod, 0, 2*sets)
	for i := range sets {
		plugin := fmt.Sprintf("plugin-%d", i)
		source(t, ns, plugin, "1.0.0", base, "CREATE "+plugin)
		pods = append(pods, pod(ns, plugin+"-a", plugin), pod(ns, plugin+"-b", plugin))
	}
	err := cluster.InParallel(len(pods), len(pods),
		func(i int) error { return webhook.Admin.Create(t.Context(), pods[i]) })
	if err != nil {
		t.Fatal(err)
	}
	for range sets {
		running := runningJob(t, ns, "up")
		for _, other := range otherMigrations(t, ns, running.Labels[annotations.Migration]) {
			wantMessage(t, ns, other.Spec.Request, v1alpha1.ReasonOtherJobRunning, running.Name, "uses the same database")
		}
		endJob(t, running, done())
	}
	wantUngated(t, pods...)
	wantJobs(t, ns, slices.Repeat([]string{"up"}, sets)...)
}

// otherMigrations returns the PluginMigrations without a Job, except one.
func otherMigrations(t *testing.T, namespace, name string) []v1alpha1.PluginMigration {
	t.Helper()
	migrations, err := migrationsIn(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(migrations, func(migration v1alpha1.PluginMigration) bool {
		return migration.Name == name || migration.Status.Attempts > 0
	})
}

// TestThirdReleaseBeforeSecondIsFinished proves that "up" waits for the "finish" of the release before it, because Kong
// does not run "up" while migrations are pending (fact K11). "finish" needs a pod of that release.
func TestThirdReleaseBeforeSecondIsFinished(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	source(t, ns, "dao-test", "1.2.0", base, "CREATE", next, "ALTER", "002_110_to_120", "DROP")
	second, third := pod(ns, "second", "dao-test@1.1.0"), pod(ns, "third", "dao-test@1.2.0")
	shared.Create(t, second)
	endJob(t, runningJob(t, ns, "up"), pending())
	wantUngated(t, second)
	shared.Create(t, third)
	wantMessage(t, ns, "dao-test@1.2.0", v1alpha1.ReasonPendingMigrations,
		"must be finished first. Pending: dao-test: "+next)
	makeReady(t, second)
	endJob(t, runningJob(t, ns, "finish"), done())
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, third)
	wantJobs(t, ns, "up", "finish", "up")
}

// TestTwoNamespacesOnOneDatabase proves that "finish" also waits for older pods in another namespace. Each namespace
// has its own PluginMigration.
func TestTwoNamespacesOnOneDatabase(t *testing.T) {
	t.Parallel()
	one, other := shared.CreateNamespace(t), shared.CreateNamespace(t)
	sharedPod := func(namespace, name, plugins string) *corev1.Pod {
		user := pod(namespace, name, plugins)
		user.Spec.Containers[0].Env[0].Value = "postgres." + one + ".svc"
		return user
	}
	daoTest(t, one)
	daoTest(t, other)
	older, newer := sharedPod(one, "older", "dao-test@1.0.0"), sharedPod(other, "newer", "dao-test@1.1.0")
	shared.Create(t, older)
	endJob(t, runningJob(t, one, "up"), done())
	wantUngated(t, older)
	schedule(t, older)
	makeReady(t, older)
	shared.Create(t, newer)
	endJob(t, runningJob(t, other, "up"), pending())
	makeReady(t, newer)
	wantMessage(t, other, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, "1 pod in another namespace")
	if err := webhook.Admin.Delete(t.Context(), older, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	endJob(t, runningJob(t, other, "finish"), done())
	migrationInPhase(t, other, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestForeignPods proves that "finish" waits for pods of other namespaces that run, and does not name them. An
// annotation on the PluginMigration ignores them.
func TestForeignPods(t *testing.T) {
	t.Parallel()
	ns, attacker := shared.CreateNamespace(t), shared.CreateNamespace(t)
	daoTest(t, ns)
	unscheduled, runs := foreignPod(attacker, "unscheduled", ns), foreignPod(attacker, "runs", ns)
	shared.Create(t, unscheduled, runs)
	schedule(t, runs)
	makeReady(t, runs)
	newer := pod(ns, "newer", "dao-test@1.1.0")
	shared.Create(t, newer)
	endJob(t, runningJob(t, ns, "up"), pending())
	makeReady(t, newer)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, "1 pod in another namespace")
	migration := migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseMigrated)
	if strings.Contains(migration.Status.Message, attacker) {
		t.Errorf("the message names a pod of another namespace: %s", migration.Status.Message)
	}
	kubectl(t, ns, "annotate", "pluginmigration", migration.Name, annotations.IgnoreForeignPods+"=true")
	endJob(t, runningJob(t, ns, "finish"), done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestUnscheduledForeignPod proves that "finish" does not wait for a pod that another namespace never ran.
func TestUnscheduledForeignPod(t *testing.T) {
	t.Parallel()
	ns, attacker := shared.CreateNamespace(t), shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, foreignPod(attacker, "unscheduled", ns))
	newer := pod(ns, "newer", "dao-test@1.1.0")
	shared.Create(t, newer)
	endJob(t, runningJob(t, ns, "up"), pending())
	makeReady(t, newer)
	endJob(t, runningJob(t, ns, "finish"), done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// foreignPod returns a pod that uses the database of another namespace. It loads dao-test, and its author labelled it
// as injected.
func foreignPod(namespace, name, database string) *corev1.Pod {
	user := pod(namespace, name, "")
	delete(user.Annotations, annotations.Plugins)
	user.Labels = map[string]string{annotations.Injected: "true"}
	user.Spec.Containers[0].Env = []corev1.EnvVar{
		{Name: "KONG_PG_HOST", Value: "postgres." + database}, {Name: "KONG_PLUGINS", Value: "dao-test"},
	}
	return user
}

// TestPodOfDeletedJobStillRuns proves that no second Job starts while the pod of a deleted Job still runs. When the pod
// is gone, the next Job starts.
func TestPodOfDeletedJobStillRuns(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, pod(ns, "first", "dao-test@1.1.0"))
	old := runningJob(t, ns, "up")
	var runner *corev1.Pod
	cluster.Eventually(t, func(ctx context.Context) error {
		var pods corev1.PodList
		hasLabel := client.MatchingLabels{batchv1.JobNameLabel: old.Name}
		if err := webhook.Admin.List(ctx, &pods, client.InNamespace(ns), hasLabel); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("job %s has %d pods", old.Name, len(pods.Items))
		}
		runner = &pods.Items[0]
		return nil
	})
	const finalizer = "kongdao.io/held-by-a-test"
	change(t, runner, func(pod *corev1.Pod) { pod.Finalizers = append(pod.Finalizers, finalizer) })
	remove(t, migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseMigrating))
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOtherJobRunning, "Pod", runner.Name)
	wantJobs(t, ns)
	change(t, runner, func(pod *corev1.Pod) {
		pod.Finalizers = slices.DeleteFunc(pod.Finalizers, func(name string) bool { return name == finalizer })
	})
	endJob(t, runningJob(t, ns, "up"), pending())
}
