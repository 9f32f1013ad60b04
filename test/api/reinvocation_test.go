package api

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var errNotCalled = errors.New("the API server does not call the other webhook yet")

// hasContainer reports whether a pod has a container. Then the other webhook has already changed the pod.
func hasContainer(pod corev1.Pod, name string) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
}

// TestLaterWebhookAddsKong checks that a Kong container that another webhook adds later also gets the plugin, and that
// nothing is added twice.
func TestLaterWebhookAddsKong(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	laterWebhook(t, ns, func(pod corev1.Pod) string {
		if hasContainer(pod, "added") {
			return ""
		}
		return `[{"op": "add", "path": "/spec/containers/0", "value": {"name": "added", "image": "kong:3.9"}}]`
	})
	injected := pod(ns, "kong", "dao-test")
	wantCalls(t, ns, 2, "a pod that another webhook changes", func() { shared.Create(t, injected) })
	if err := checkInjected(injected, "dao-test", "added", "proxy"); err != nil {
		t.Error(err)
	}
	ownVolumes := 0
	for _, volume := range injected.Spec.Volumes {
		if volume.Name == "kongdao-dao-test" || volume.Name == "kongdao-migrations" {
			ownVolumes++
		}
	}
	if ownVolumes != 2 {
		t.Errorf("the pod has %d volumes of kongdao, want 2: %v", ownVolumes, injected.Spec.Volumes)
	}
	for _, container := range injected.Spec.Containers {
		names := map[string]int{}
		for _, variable := range container.Env {
			if names[variable.Name]++; names[variable.Name] > 1 {
				t.Errorf("container %s has variable %s twice", container.Name, variable.Name)
			}
		}
	}
}

// TestLaterWebhookAddsSidecar checks that a second call of the webhook changes nothing if there is nothing to inject.
func TestLaterWebhookAddsSidecar(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	before := pod(ns, "before", "dao-test")
	shared.Create(t, before)
	laterWebhook(t, ns, func(pod corev1.Pod) string {
		if hasContainer(pod, "sidecar") {
			return ""
		}
		return `[{"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": "envoy:1"}}]`
	})
	injected := pod(ns, "kong", "dao-test")
	wantCalls(t, ns, 2, "a pod that another webhook changes", func() { shared.Create(t, injected) })
	if err := checkInjected(injected, "dao-test", "proxy"); err != nil {
		t.Error(err)
	}
	for name, lengths := range map[string][2]int{
		"variables": {len(before.Spec.Containers[0].Env), len(injected.Spec.Containers[0].Env)},
		"mounts":    {len(before.Spec.Containers[0].VolumeMounts), len(injected.Spec.Containers[0].VolumeMounts)},
		"volumes":   {len(before.Spec.Volumes), len(injected.Spec.Volumes)},
		"labels":    {len(before.Labels), len(injected.Labels)},
	} {
		if lengths[0] != lengths[1] {
			t.Errorf("%d %s without the sidecar, %d with it", lengths[0], name, lengths[1])
		}
	}
	results := calls(t, ns)
	if last := results[len(results)-1]; last.Result != "unchanged" {
		t.Errorf("the second call gave %+v", last)
	}
}

// TestCopiedPodIsUnchanged checks that the copy of an injected pod, for example from a backup, is not injected again.
func TestCopiedPodIsUnchanged(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	original := pod(ns, "kong", "dao-test")
	shared.Create(t, original)
	copied := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "copied", Labels: original.Labels,
			Annotations: original.Annotations},
		Spec: *original.Spec.DeepCopy(),
	}
	shared.Create(t, copied)
	if !reflect.DeepEqual(original.Spec, copied.Spec) || !maps.Equal(original.Labels, copied.Labels) ||
		!maps.Equal(original.Annotations, copied.Annotations) {
		t.Errorf("the original:\n%+v\nthe copy:\n%+v", original, copied)
	}
}
