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

// table is what a person sees of a namespace's PluginMigrations, of which ages
// and digests are left out and columns are parted by one bar.
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
		t.Errorf("kubectl get pluginmigrations shows\n%s\nwant\n%s", got, want)
	}
}

// TestAFirstRelease proves the way of a plugin's first release: its pods wait, a
// Job that is named by what it is runs "up" and may finish all, and they go, as
// does every pod after them. The PluginMigration tells the story to kubectl.
func TestAFirstRelease(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	kong := deployment(ns, "kong", 3)
	create(t, kong)
	waiting := podsOf(t, ns, "kong", 3, isGated)
	up := job(t, ns, "up")
	made := record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	wantTable(t, ns, `dao-test-*|Migrating|dao-test@1.0.0|postgres.NAMESPACE:5432/kong|AGES|Job "`+
		regexp.MustCompile(`[0-9a-f]{10}\b`).ReplaceAllString(up.Name, "*")+`" runs "kong migrations up"`)
	if !regexp.MustCompile("^" + made.Name + "-up-[0-9a-f]{8}$").MatchString(up.Name) {
		t.Errorf("the Job is called %s, which does not tell of %s", up.Name, made.Name)
	}
	env := map[string]string{}
	for _, variable := range up.Spec.Template.Spec.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	for name, want := range map[string]string{
		"KONGDAO_EXPECT": "dao-test: " + base, "KONGDAO_STEP": "up", "KONGDAO_FINISH": "all", "KONG_PG_HOST": "postgres",
	} {
		if env[name] != want {
			t.Errorf("the Job's %s is %q, want %q", name, env[name], want)
		}
	}
	for _, pod := range podsOf(t, ns, "kong", 3, isGated) {
		if pod.Status.Phase != corev1.PodPending {
			t.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
		}
	}
	end(t, up, done())
	lifted(t, waiting...)
	record(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	wantTable(t, ns, "dao-test-*|Finished|dao-test@1.0.0|postgres.NAMESPACE:5432/kong|AGES")

	later := pod(ns, "later", "dao-test@1.0.0")
	create(t, later)
	if isGated(later) {
		t.Error("a pod of a database that is migrated waits")
	}
	wantJobs(t, ns, "up")
}

// TestASecondRelease proves that "finish", which may take away what older pods
// use, runs only when the last of them is gone and those that carry the release
// are ready; nobody waits for it.
func TestASecondRelease(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	kong := deployment(ns, "kong", 2)
	create(t, kong)
	old := podsOf(t, ns, "kong", 2, isGated)
	end(t, job(t, ns, "up"), done())
	lifted(t, old...)
	serve(t, old...)
	for _, pod := range old { // each serves until the test says that it is gone
		change(t, pod, func(pod *corev1.Pod) { pod.Finalizers = []string{"example.com/serves"} })
	}

	change(t, kong, func(kong *appsv1.Deployment) { kong.Spec.Template.Annotations[annotations.Plugins] = "dao-test@1.1.0" })
	waiting := podsOf(t, ns, "kong", 1, isGated)
	end(t, job(t, ns, "up"), pending())
	lifted(t, waiting...)
	waitsFor(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, "Pending: dao-test: "+next, old[0].Name, old[1].Name, "Restart their workloads with the new release")
	serve(t, waiting...)
	second := podsOf(t, ns, "kong", 1, func(pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil
	})
	if isGated(second[0]) {
		t.Error("a pod of the release that is migrated waits")
	}
	ending := podsOf(t, ns, "kong", 1, func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	change(t, ending[0], func(pod *corev1.Pod) { pod.Finalizers = nil })
	serve(t, second...)
	last := podsOf(t, ns, "kong", 1, func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	waitsFor(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, last[0].Name)
	wantJobs(t, ns, "up", "up")
	change(t, last[0], func(pod *corev1.Pod) { pod.Finalizers = nil })

	finish := job(t, ns, "finish")
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinishing)
	end(t, finish, done())
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
	wantJobs(t, ns, "up", "up", "finish")
	wantTable(t, ns,
		"dao-test-*|Finished|dao-test@1.0.0|postgres.NAMESPACE:5432/kong|AGES",
		"dao-test-*|Finished|dao-test@1.1.0|postgres.NAMESPACE:5432/kong|AGES")
}

// TestFinishWaitsForReadyPods proves that "finish" is not run while a pod that
// carries the release is not ready: it may be that it never will be, and then
// the older release has to come back.
func TestFinishWaitsForReadyPods(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	first, second := pod(ns, "first", "dao-test@1.1.0"), pod(ns, "second", "dao-test@1.1.0")
	create(t, first, second)
	end(t, job(t, ns, "up"), pending())
	lifted(t, first, second)
	serve(t, first)
	waitsFor(t, ns, "dao-test@1.1.0", v1alpha1.ReasonPodsNotReady, fmt.Sprintf(`Pods are not ready: "%s/second"`, ns))
	wantJobs(t, ns, "up")
	serve(t, second)
	end(t, job(t, ns, "finish"), done())
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}

// TestOneThatWasNeverInjected proves that an older pod counts whose plugin came
// by hand, before kongdao: "finish" waits for it, and runs soon after it is gone,
// of which no watch tells. Nothing that was planned before the restart helps.
func TestOneThatWasNeverInjected(t *testing.T) {
	ns := namespace(t)
	daoTest(t, ns)
	byHand := pod(ns, "by-hand", "")
	byHand.Spec.Containers[0].Env = append(byHand.Spec.Containers[0].Env, corev1.EnvVar{Name: "KONG_PLUGINS", Value: "bundled,dao-test"})
	create(t, byHand)
	serve(t, byHand)
	mine := pod(ns, "mine", "dao-test@1.1.0")
	create(t, mine)
	end(t, job(t, ns, "up"), pending())
	serve(t, mine)
	waitsFor(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, `"`+ns+`/by-hand"`)
	restart(t, nil)
	t.Parallel()
	remove(t, byHand)
	end(t, job(t, ns, "finish"), done())
	record(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinished)
}
