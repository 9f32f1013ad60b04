package api

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestARunningPodIsNeverTouched proves that no change of a pod that exists
// reaches the webhook (W7: vault-k8s#500), or changes what it was given.
func TestARunningPodIsNeverTouched(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	create(t, source(ns, "other"))
	running := pod(ns, "kong", "dao-test")
	running.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	create(t, running, plainPod(ns, "plain"))
	change := func(name, subResource, patch string) {
		t.Helper()
		changed := plainPod(ns, name)
		content := client.RawPatch(types.StrategicMergePatchType, []byte(patch))
		var err error
		if subResource == "" {
			err = webhook.Admin.Patch(t.Context(), changed, content)
		} else {
			err = webhook.Admin.SubResource(subResource).Patch(t.Context(), changed, content)
		}
		if err != nil {
			t.Errorf("patch pod %s %s with %s: %v", name, subResource, patch, err)
		}
	}
	wantCalls(t, ns, 0, "changes of running pods", func() {
		for _, name := range []string{"kong", "plain"} {
			change(name, "", `{"metadata":{"labels":{"team":"gateways"}}}`)
			change(name, "", `{"metadata":{"annotations":{"kongdao.io/plugins":"other"}}}`)
			change(name, "", `{"metadata":{"annotations":{"kongdao.io/plugins":"no-such-plugin"}}}`)
			change(name, "status", `{"status":{"phase":"Running"}}`)
			change(name, "ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"debugger","image":"kong:3.9"}]}}`)
		}
		change("kong", "resize", `{"spec":{"containers":[{"name":"proxy","resources":{"requests":{"cpu":"200m"}}}]}}`)
		for _, name := range []string{"kong", "plain"} {
			if err := webhook.Admin.Delete(t.Context(), plainPod(ns, name), client.GracePeriodSeconds(0), client.DryRunAll); err != nil {
				t.Error(err)
			}
		}
	})
	for name, check := range map[string]func(pod *corev1.Pod) error{
		"kong":  func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", "proxy") },
		"plain": checkPlain,
	} {
		var now corev1.Pod
		if err := webhook.Admin.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &now); err != nil {
			t.Fatal(err)
		}
		if err := check(&now); err != nil {
			t.Errorf("pod %s after its updates: %v", name, err)
		}
	}
}

// TestNothingElseWaitsForUs proves that workloads whose annotations do not
// change, and what asks for nothing, never reach the webhook: neither what
// people do to them nor what their controllers do.
func TestNothingElseWaitsForUs(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	annotatedTemplate := deployment(ns, "template", nil)
	annotatedTemplate.Spec.Template.Annotations = asking("dao-test")
	emptyAnnotations := deployment(ns, "plain", map[string]string{})
	wantCalls(t, ns, 2+2, "two workloads that ask, and their pods", func() {
		create(t, deployment(ns, "kong", asking("dao-test")), annotatedTemplate)
		waitForReplicas(t, ns, "kong", 1)
		waitForReplicas(t, ns, "template", 1)
	})
	wantCalls(t, ns, 0, "what asks for nothing", func() {
		create(t, emptyAnnotations, plainPod(ns, "plain"))
		other := plainPod(ns, "other-annotations")
		other.Annotations = map[string]string{"example.com/plugins": "dao-test"}
		create(t, other)
		waitForReplicas(t, ns, "plain", 1)
	})
	workloads := []string{"kong", "template", "plain"}
	wantCalls(t, ns, 0, "changes of workloads", func() {
		for _, name := range workloads {
			for _, change := range [][]string{
				{"label", "deployment", name, "team=gateways"},
				{"annotate", "deployment", name, "example.com/team=gateways"},
				{"scale", "deployment", name, "--replicas=0"},
				{"set", "image", "deployment/" + name, "proxy=kong:3.9.1"},
				{"patch", "deployment", name, "--subresource=status", "-p", `{"status":{"observedGeneration":1}}`},
			} {
				mustKubectl(t, ns, "", change...)
			}
			waitForReplicas(t, ns, name, 0)
		}
	})
	wantCalls(t, ns, 2, "the pods of two workloads that ask", func() {
		for _, name := range workloads {
			mustKubectl(t, ns, "", "scale", "deployment", name, "--replicas=1")
			waitForReplicas(t, ns, name, 1)
		}
	})
	wantCalls(t, ns, 0, "deleting all", func() {
		mustKubectl(t, ns, "", "delete", "deployment", "--all", "--cascade=foreground")
	})
}

// waitForReplicas waits until a Deployment's controller has settled it.
func waitForReplicas(t *testing.T, namespace, name string, replicas int32) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		var now appsv1.Deployment
		if err := webhook.Admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &now); err != nil {
			return err
		}
		if now.Status.ObservedGeneration < now.Generation || now.Status.Replicas != replicas || now.Status.UpdatedReplicas != replicas {
			return fmt.Errorf("Deployment %s is at %+v", name, now.Status)
		}
		return nil
	})
}

// TestExcludedNamespaces proves that the cluster's own parts and the webhook's
// start without it, whatever they ask for.
func TestExcludedNamespaces(t *testing.T) {
	t.Parallel()
	err := webhook.Admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kongdao-system"}})
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"kube-system", "kongdao-system"} {
		eventually(t, func(ctx context.Context) error {
			return webhook.Admin.Get(ctx, client.ObjectKey{Namespace: ns, Name: "default"}, &corev1.ServiceAccount{})
		})
		asks := pod(ns, unique("kong"), "no-such-plugin")
		create(t, asks, deployment(ns, unique("kong"), asking("no-such-plugin")))
		if err := checkPlain(asks); err != nil {
			t.Error(err)
		}
	}
	lines, err := readLog(webhook)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if line.Namespace == "kube-system" || line.Namespace == "kongdao-system" {
			t.Errorf("called: %+v", line)
		}
	}
}
