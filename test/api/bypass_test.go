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

	"kongdao.io/kongdao/test/cluster"
)

// TestRunningPodsBypassTheWebhook checks that no change of an existing pod reaches the webhook. In other injectors, an
// injection at updates made pods undeletable (fact W7).
func TestRunningPodsBypassTheWebhook(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	shared.Create(t, source(ns, "other"))
	running := pod(ns, "kong", "dao-test")
	running.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	shared.Create(t, running, plainPod(ns, "plain"))
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
			t.Errorf("patch pod %s (subresource %q) with %s: %v", name, subResource, patch, err)
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
			if err := webhook.Admin.Delete(t.Context(), plainPod(ns, name), client.GracePeriodSeconds(0),
				client.DryRunAll); err != nil {
				t.Error(err)
			}
		}
	})
	for name, check := range map[string]func(pod *corev1.Pod) error{
		"kong":  func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", "proxy") },
		"plain": checkPlain,
	} {
		var updated corev1.Pod
		if err := webhook.Admin.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &updated); err != nil {
			t.Fatal(err)
		}
		if err := check(&updated); err != nil {
			t.Errorf("pod %s after the updates: %v", name, err)
		}
	}
}

// TestOtherChangesBypassTheWebhook checks that only new pods with requests, and changes of a workload's requests, reach
// the webhook. Other changes by people and controllers do not.
func TestOtherChangesBypassTheWebhook(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	onlyTemplate := deployment(ns, "template", nil)
	onlyTemplate.Spec.Template.Annotations = requesting("dao-test")
	emptyAnnotations := deployment(ns, "plain", map[string]string{})
	wantCalls(t, ns, 2+2, "two workloads with requests, and their pods", func() {
		shared.Create(t, deployment(ns, "kong", requesting("dao-test")), onlyTemplate)
		waitForReplicas(t, ns, "kong", 1)
		waitForReplicas(t, ns, "template", 1)
	})
	wantCalls(t, ns, 0, "objects without requests", func() {
		shared.Create(t, emptyAnnotations, plainPod(ns, "plain"))
		other := plainPod(ns, "other-annotations")
		other.Annotations = map[string]string{"example.com/plugins": "dao-test"}
		shared.Create(t, other)
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
				shared.MustKubectl(t, ns, "", change...)
			}
			waitForReplicas(t, ns, name, 0)
		}
	})
	wantCalls(t, ns, 2, "the pods of two workloads with requests", func() {
		for _, name := range workloads {
			shared.MustKubectl(t, ns, "", "scale", "deployment", name, "--replicas=1")
			waitForReplicas(t, ns, name, 1)
		}
	})
	wantCalls(t, ns, 0, "deletion", func() {
		shared.MustKubectl(t, ns, "", "delete", "deployment", "--all", "--cascade=foreground")
	})
}

// waitForReplicas waits until a Deployment has this number of updated replicas.
func waitForReplicas(t *testing.T, namespace, name string, replicas int32) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		var current appsv1.Deployment
		if err := webhook.Admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &current); err != nil {
			return err
		}
		if current.Status.ObservedGeneration < current.Generation || current.Status.Replicas != replicas ||
			current.Status.UpdatedReplicas != replicas {
			return fmt.Errorf("Deployment %s has status %+v", name, current.Status)
		}
		return nil
	})
}

// TestExcludedNamespaces checks that pods in kube-system and kongdao-system start without the webhook.
func TestExcludedNamespaces(t *testing.T) {
	t.Parallel()
	err := webhook.Admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kongdao-system"}})
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"kube-system", "kongdao-system"} {
		shared.WaitForServiceAccount(t, ns)
		excluded := pod(ns, unique("kong"), "no-such-plugin")
		shared.Create(t, excluded, deployment(ns, unique("kong"), requesting("no-such-plugin")))
		if err := checkPlain(excluded); err != nil {
			t.Error(err)
		}
	}
	lines, err := cluster.ReadLog(webhook)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if line.Namespace == "kube-system" || line.Namespace == "kongdao-system" {
			t.Errorf("the webhook was called: %+v", line)
		}
	}
}
