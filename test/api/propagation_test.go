package api

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// wantRequests fails the test unless a Deployment and its pod template request these plugins.
func wantRequests(t *testing.T, namespace, name, own, template string) {
	t.Helper()
	var got appsv1.Deployment
	if err := webhook.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Annotations[annotations.Plugins] != own || got.Spec.Template.Annotations[annotations.Plugins] != template {
		t.Errorf("the Deployment requests %q and its template %q, want %q and %q",
			got.Annotations[annotations.Plugins], got.Spec.Template.Annotations[annotations.Plugins], own, template)
	}
}

// TestKubectlAnnotate checks that kubectl annotate is enough to inject a Deployment. What people and tools do to the
// Deployment afterwards does not remove the plugin. Removing the annotation does.
func TestKubectlAnnotate(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	manifest := manifestOf(t, deployment(ns, "kong", nil))
	shared.MustKubectl(t, ns, manifest, "apply", "-f", "-")
	waitForPod(t, ns, "kong", checkPlain)

	injected := func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) }
	output := shared.MustKubectl(t, ns, "", "annotate", "deployment", "kong", "kongdao.io/plugins=dao-test")
	if output.Stderr != "" {
		t.Errorf("kubectl annotate prints: %s", output.Stderr)
	}
	wantRequests(t, ns, "kong", "dao-test", "dao-test")
	waitForPod(t, ns, "kong", injected)

	for _, command := range [][]string{
		{"apply", "-f", "-"},
		{"apply", "-f", "-", "--server-side", "--field-manager", "other", "--force-conflicts"},
		{"rollout", "restart", "deployment", "kong"},
		{"set", "image", "deployment/kong", "proxy=kong:3.9.1"},
	} {
		if output := shared.MustKubectl(t, ns, manifest, command...); output.Stderr != "" {
			t.Errorf("kubectl %v prints: %s", command, output.Stderr)
		}
		wantRequests(t, ns, "kong", "dao-test", "dao-test")
	}
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error {
		if pod.Spec.Containers[1].Image != "kong:3.9.1" {
			return fmt.Errorf("pod %s is not from the last rollout", pod.Name)
		}
		return injected(pod)
	})

	shared.MustKubectl(t, ns, "", "annotate", "deployment", "kong", "kongdao.io/plugins-")
	wantRequests(t, ns, "kong", "", "")
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error {
		if pod.Spec.Containers[1].Image != "kong:3.9.1" {
			return fmt.Errorf("pod %s is not from the last rollout", pod.Name)
		}
		return checkPlain(pod)
	})
}

// TestRemovingTheAnnotationFromTheManifest checks that an annotation in a manifest can be removed from the manifest,
// with each command that applies manifests.
func TestRemovingTheAnnotationFromTheManifest(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	for name, update := range map[string][]string{
		"applied": {"apply", "-f", "-"}, "server-side": {"apply", "-f", "-", "--server-side"},
		"replaced": {"replace", "-f", "-", "--save-config"},
	} {
		object := deployment(ns, name, nil)
		shared.MustKubectl(t, ns, manifestOf(t, object), "create", "-f", "-", "--save-config")
		for _, own := range []string{"dao-test", "dao-test", ""} {
			object.Annotations = nil
			if own != "" {
				object.Annotations = requesting(own)
			}
			shared.MustKubectl(t, ns, manifestOf(t, object), update...)
			wantRequests(t, ns, name, own, own)
		}
	}
}

// TestAnnotationOfTheTemplateStays checks that updates do not change an annotation that only the template has.
func TestAnnotationOfTheTemplateStays(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	object := deployment(ns, "kong", nil)
	object.Spec.Template.Annotations = requesting("dao-test")
	shared.Create(t, object)
	for _, change := range [][]string{
		{"annotate", "deployment", "kong", "team=gateways"},
		{"annotate", "deployment", "kong", "team-"},
		{"set", "image", "deployment/kong", "proxy=kong:3.9.1"},
	} {
		shared.MustKubectl(t, ns, "", change...)
		wantRequests(t, ns, "kong", "", "dao-test")
	}
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })
}

// TestWorkloadOverridesTemplate checks that the workload's annotation wins, and that there is a warning.
func TestWorkloadOverridesTemplate(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	shared.Create(t, source(ns, "other"))
	object := deployment(ns, "kong", requesting("dao-test"))
	object.Spec.Template.Annotations = requesting("other")
	const warning = `the pod template's annotation kongdao.io/plugins changes from "other" to "dao-test", the value of ` +
		`the Deployment`
	output := shared.MustKubectl(t, ns, manifestOf(t, object), "create", "-f", "-")
	wantText(t, output.Stderr, "Warning: "+warning)
	wantRequests(t, ns, "kong", "dao-test", "dao-test")

	output = shared.MustKubectl(t, ns, "", "patch", "deployment", "kong", "-p",
		`{"spec":{"template":{"metadata":{"annotations":{"kongdao.io/plugins":"other"}}}}}`)
	wantText(t, output.Stderr, "Warning: "+warning)
	wantRequests(t, ns, "kong", "dao-test", "dao-test")

	// A change of the workload's own annotation gives no warning.
	output = shared.MustKubectl(t, ns, "", "annotate", "--overwrite", "deployment", "kong",
		"kongdao.io/plugins=dao-test,other")
	if output.Stderr != "" {
		t.Errorf("kubectl annotate prints: %s", output.Stderr)
	}
	wantRequests(t, ns, "kong", "dao-test,other", "dao-test,other")
}
