package controllers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// table returns what kubectl prints for the PluginMigrations of a namespace. It replaces ages and digests, and
// separates the columns by bars.
func table(t *testing.T, namespace string) string {
	t.Helper()
	text := kubectl(t, namespace, "get", "pluginmigrations", "--sort-by=.spec.request")
	text = regexp.MustCompile(`[0-9a-f]{10}\b`).ReplaceAllString(text, "*")
	text = regexp.MustCompile(`\b(\d+m)?\d+s\b`).ReplaceAllString(text, "AGES")
	text = strings.ReplaceAll(text, namespace, "NAMESPACE")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = regexp.MustCompile(`   +`).ReplaceAllString(strings.TrimSpace(lines[i]), "|")
	}
	return strings.Join(lines, "\n")
}

func wantTable(t *testing.T, namespace string, lines ...string) {
	t.Helper()
	want := strings.Join(append([]string{"NAME|PHASE|PLUGINS|DATABASE|AGE|MESSAGE"}, lines...), "\n")
	if got := table(t, namespace); got != want {
		t.Errorf("kubectl get pluginmigrations prints\n%s\nwant\n%s", got, want)
	}
}

// TestFirstRelease proves what happens for the first release of a plugin. Its pods wait, a Job runs "up" and may finish
// all migrations, and the pods start. Later pods start without waiting. kubectl shows the progress.
func TestFirstRelease(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	kong := deployment(ns, "kong", 3)
	shared.Create(t, kong)
	waiting := podsOf(t, ns, "kong", 3, isGated)
	up := runningJob(t, ns, "up")
	migrating := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	wantTable(t, ns, `dao-test-*|Migrating|dao-test@1.0.0|postgres.NAMESPACE:5432/kong|AGES|Job "`+
		regexp.MustCompile(`[0-9a-f]{10}\b`).ReplaceAllString(up.Name, "*")+`" was created, and its pod starts`)
	if !regexp.MustCompile("^" + migrating.Name + "-up-[0-9a-f]{8}$").MatchString(up.Name) {
		t.Errorf("the name %s of the Job does not contain %s and the step", up.Name, migrating.Name)
	}
	env := map[string]string{}
	for _, variable := range up.Spec.Template.Spec.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	for name, want := range map[string]string{
		"KONGDAO_EXPECT": "dao-test: " + base, "KONGDAO_STEP": "up", "KONGDAO_FINISH": "all", "KONG_PG_HOST": "postgres",
	} {
		if env[name] != want {
			t.Errorf("%s of the Job is %q, want %q", name, env[name], want)
		}
	}
	for _, pod := range podsOf(t, ns, "kong", 3, isGated) {
		if pod.Status.Phase != corev1.PodPending {
			t.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
		}
	}
	endJob(t, up, done())
	wantUngated(t, waiting...)
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	wantTable(t, ns, "dao-test-*|Finished|dao-test@1.0.0|postgres.NAMESPACE:5432/kong|AGES")

	later := pod(ns, "later", "dao-test@1.0.0")
	shared.Create(t, later)
	if isGated(later) {
		t.Error("a pod of a migrated database has a gate")
	}
	wantJobs(t, ns, "up")
}

// TestSecondRelease proves that "finish", which may remove what older pods use, starts after the last older pod is gone
// and the new pods are ready. No pod waits for it.
func TestSecondRelease(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	kong := deployment(ns, "kong", 2)
	shared.Create(t, kong)
	old := podsOf(t, ns, "kong", 2, isGated)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, old...)
	makeReady(t, old...)
	for _, pod := range old { // each stays until the test removes its finalizer
		change(t, pod, func(pod *corev1.Pod) { pod.Finalizers = []string{"example.com/serves"} })
	}

	change(t, kong, func(kong *appsv1.Deployment) {
		kong.Spec.Template.Annotations[annotations.Plugins] = "dao-test@1.1.0"
	})
	waiting := podsOf(t, ns, "kong", 1, isGated)
	endJob(t, runningJob(t, ns, "up"), pending())
	wantUngated(t, waiting...)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods,
		"Pending: dao-test: "+next, old[0].Name, old[1].Name, "which still run dao-test@1.0.0")
	makeReady(t, waiting...)
	isDeleted := func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil }
	second := podsOf(t, ns, "kong", 1, func(pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodPending && !isDeleted(pod)
	})
	if isGated(second[0]) {
		t.Error("a pod of the migrated release has a gate")
	}
	ending := podsOf(t, ns, "kong", 1, isDeleted)
	change(t, ending[0], func(pod *corev1.Pod) { pod.Finalizers = nil })
	makeReady(t, second...)
	last := podsOf(t, ns, "kong", 1, isDeleted)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, last[0].Name)
	wantJobs(t, ns, "up", "up")
	change(t, last[0], func(pod *corev1.Pod) { pod.Finalizers = nil })

	finish := runningJob(t, ns, "finish")
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinishing)
	endJob(t, finish, done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up", "up", "finish")
	wantTable(t, ns,
		"dao-test-*|Finished|dao-test@1.0.0|postgres.NAMESPACE:5432/kong|AGES",
		"dao-test-*|Finished|dao-test@1.1.0|postgres.NAMESPACE:5432/kong|AGES")
}

// TestFinishWaitsForReadyPods proves that "finish" waits for pods that are not ready. If they never become ready, the
// older release must be able to come back.
func TestFinishWaitsForReadyPods(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	first, second := pod(ns, "first", "dao-test@1.1.0"), pod(ns, "second", "dao-test@1.1.0")
	shared.Create(t, first, second)
	endJob(t, runningJob(t, ns, "up"), pending())
	wantUngated(t, first, second)
	makeReady(t, first)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonPodsNotReady, fmt.Sprintf(`which are not ready: "%s/second"`, ns))
	wantJobs(t, ns, "up")
	makeReady(t, second)
	endJob(t, runningJob(t, ns, "finish"), done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestFinishWaitsForPodsWithoutInjection proves that an older pod counts if a person added the plugin to it, without
// kongdao. "finish" waits for it and starts soon after it is gone, although no watch reports this. The restart proves
// that no earlier plan is necessary.
func TestFinishWaitsForPodsWithoutInjection(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	manual := pod(ns, "manual", "")
	container := &manual.Spec.Containers[0]
	container.Env = append(container.Env, corev1.EnvVar{Name: "KONG_PLUGINS", Value: "bundled,dao-test"})
	shared.Create(t, manual)
	makeReady(t, manual)
	injected := pod(ns, "injected", "dao-test@1.1.0")
	shared.Create(t, injected)
	endJob(t, runningJob(t, ns, "up"), pending())
	makeReady(t, injected)
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, `"`+ns+`/manual"`)
	restart(t, nil)
	t.Parallel()
	remove(t, manual)
	endJob(t, runningJob(t, ns, "finish"), done())
	migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}
