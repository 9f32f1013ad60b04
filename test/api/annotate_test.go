package api

import (
	"encoding/json"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// manifestOf is what a person has in a file.
func manifestOf(t *testing.T, object client.Object) string {
	t.Helper()
	kind, err := webhook.Admin.GroupVersionKindFor(object)
	if err != nil {
		t.Fatal(err)
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantCarried fails the test unless a Deployment and its pod template ask alike.
func wantCarried(t *testing.T, namespace, name, own, template string) {
	t.Helper()
	var got appsv1.Deployment
	if err := webhook.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Annotations[annotations.Plugins] != own || got.Spec.Template.Annotations[annotations.Plugins] != template {
		t.Errorf("the Deployment asks for %q and its template for %q, want %q and %q",
			got.Annotations[annotations.Plugins], got.Spec.Template.Annotations[annotations.Plugins], own, template)
	}
}

// TestAnnotateByHand goes the way of a person: kubectl annotate is enough, and
// none of what people and tools do to a Deployment afterwards loses it, until
// it is taken off again.
func TestAnnotateByHand(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	manifest := manifestOf(t, deployment(ns, "kong", nil))
	mustKubectl(t, ns, manifest, "apply", "-f", "-")
	waitForPod(t, ns, "kong", checkPlain)

	injected := func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) }
	seen := mustKubectl(t, ns, "", "annotate", "deployment", "kong", "kongdao.io/plugins=dao-test")
	if seen.errs != "" {
		t.Errorf("kubectl annotate says: %s", seen.errs)
	}
	wantCarried(t, ns, "kong", "dao-test", "dao-test")
	waitForPod(t, ns, "kong", injected)

	for _, again := range [][]string{
		{"apply", "-f", "-"},
		{"apply", "-f", "-", "--server-side", "--field-manager", "another", "--force-conflicts"},
		{"rollout", "restart", "deployment", "kong"},
		{"set", "image", "deployment/kong", "proxy=kong:3.9.1"},
	} {
		if seen := mustKubectl(t, ns, manifest, again...); seen.errs != "" {
			t.Errorf("kubectl %v says: %s", again, seen.errs)
		}
		wantCarried(t, ns, "kong", "dao-test", "dao-test")
	}
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error {
		if pod.Spec.Containers[1].Image != "kong:3.9.1" {
			return fmt.Errorf("not of the last rollout: %s", pod.Name)
		}
		return injected(pod)
	})

	mustKubectl(t, ns, "", "annotate", "deployment", "kong", "kongdao.io/plugins-")
	wantCarried(t, ns, "kong", "", "")
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error {
		if pod.Spec.Containers[1].Image != "kong:3.9.1" {
			return fmt.Errorf("not of the last rollout: %s", pod.Name)
		}
		return checkPlain(pod)
	})
}

// TestTheFileTakesItBack proves that who wrote the annotation into a file can
// take it out of the file again, in each way to bring a file to the cluster.
func TestTheFileTakesItBack(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	for name, update := range map[string][]string{
		"applied": {"apply", "-f", "-"}, "server-side": {"apply", "-f", "-", "--server-side"}, "replaced": {"replace", "-f", "-", "--save-config"},
	} {
		object := deployment(ns, name, nil)
		mustKubectl(t, ns, manifestOf(t, object), "create", "-f", "-", "--save-config")
		for _, own := range []string{"dao-test", "dao-test", ""} {
			object.Annotations = nil
			if own != "" {
				object.Annotations = asking(own)
			}
			mustKubectl(t, ns, manifestOf(t, object), update...)
			wantCarried(t, ns, name, own, own)
		}
	}
}

// TestTheTemplatesOwnAnnotation proves that what stands in the template alone
// is nobody's to change, through updates of all kinds.
func TestTheTemplatesOwnAnnotation(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	object := deployment(ns, "kong", nil)
	object.Spec.Template.Annotations = asking("dao-test")
	create(t, object)
	for _, change := range [][]string{
		{"annotate", "deployment", "kong", "team=gateways"},
		{"annotate", "deployment", "kong", "team-"},
		{"set", "image", "deployment/kong", "proxy=kong:3.9.1"},
	} {
		mustKubectl(t, ns, "", change...)
		wantCarried(t, ns, "kong", "", "dao-test")
	}
	waitForPod(t, ns, "kong", func(pod *corev1.Pod) error { return checkInjected(pod, "dao-test", kongContainers...) })
}

// TestATemplateThatDisagrees proves that the workload's own word counts, and
// that the person is told.
func TestATemplateThatDisagrees(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	create(t, source(ns, "other"))
	object := deployment(ns, "kong", asking("dao-test"))
	object.Spec.Template.Annotations = asking("other")
	const warning = `the pod template's annotation kongdao.io/plugins changes from "other" to "dao-test", the value of the Deployment`
	seen := mustKubectl(t, ns, manifestOf(t, object), "create", "-f", "-")
	wantText(t, seen.errs, "Warning: "+warning)
	wantCarried(t, ns, "kong", "dao-test", "dao-test")

	seen = mustKubectl(t, ns, "", "patch", "deployment", "kong", "-p", `{"spec":{"template":{"metadata":{"annotations":{"kongdao.io/plugins":"other"}}}}}`)
	wantText(t, seen.errs, "Warning: "+warning)
	wantCarried(t, ns, "kong", "dao-test", "dao-test")

	// Who changes the workload's own is told nothing: that is the way.
	seen = mustKubectl(t, ns, "", "annotate", "--overwrite", "deployment", "kong", "kongdao.io/plugins=dao-test,other")
	if seen.errs != "" {
		t.Errorf("kubectl annotate says: %s", seen.errs)
	}
	wantCarried(t, ns, "kong", "dao-test,other", "dao-test,other")
}
