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

var errNotCalled = errors.New("the other webhook is not called yet")

// hasContainer tells a pod that the other webhook has changed already.
func hasContainer(pod corev1.Pod, name string) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
}

// TestAWebhookAfterOursAddsKong proves that a container which somebody adds
// after us has the plugin all the same, and that nothing is there twice.
func TestAWebhookAfterOursAddsKong(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	laterWebhook(t, ns, func(pod corev1.Pod) string {
		if hasContainer(pod, "added") {
			return ""
		}
		return `[{"op": "add", "path": "/spec/containers/0", "value": {"name": "added", "image": "kong:3.9"}}]`
	})
	made := pod(ns, "kong", "dao-test")
	var of int
	wantCalls(t, ns, 2, "a pod that another webhook changes", func() { create(t, made) })
	if err := checkInjected(made, "dao-test", "added", "proxy"); err != nil {
		t.Error(err)
	}
	for _, volume := range made.Spec.Volumes {
		if volume.Name == "kongdao-dao-test" || volume.Name == "kongdao-migrations" {
			of++
		}
	}
	if of != 2 {
		t.Errorf("the pod has %d volumes of ours, want 2: %v", of, made.Spec.Volumes)
	}
	for _, container := range made.Spec.Containers {
		names := map[string]int{}
		for _, variable := range container.Env {
			if names[variable.Name]++; names[variable.Name] > 1 {
				t.Errorf("container %s has variable %s twice", container.Name, variable.Name)
			}
		}
	}
}

// TestAWebhookAfterOursAddsASidecar proves that being asked again changes
// nothing where there is nothing to do.
func TestAWebhookAfterOursAddsASidecar(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	before := pod(ns, "before", "dao-test")
	create(t, before)
	laterWebhook(t, ns, func(pod corev1.Pod) string {
		if hasContainer(pod, "sidecar") {
			return ""
		}
		return `[{"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": "envoy:1"}}]`
	})
	made := pod(ns, "kong", "dao-test")
	wantCalls(t, ns, 2, "a pod that another webhook changes", func() { create(t, made) })
	if err := checkInjected(made, "dao-test", "proxy"); err != nil {
		t.Error(err)
	}
	for name, lengths := range map[string][2]int{
		"variables": {len(before.Spec.Containers[0].Env), len(made.Spec.Containers[0].Env)},
		"mounts":    {len(before.Spec.Containers[0].VolumeMounts), len(made.Spec.Containers[0].VolumeMounts)},
		"volumes":   {len(before.Spec.Volumes), len(made.Spec.Volumes)},
		"labels":    {len(before.Labels), len(made.Labels)},
	} {
		if lengths[0] != lengths[1] {
			t.Errorf("%d %s alone, and %d beside the sidecar", lengths[0], name, lengths[1])
		}
	}
	results := calls(t, ns)
	if last := results[len(results)-1]; last.Result != "unchanged" {
		t.Errorf("asked again, the webhook answered %+v", last)
	}
}

// TestACopyOfAPod proves that one which is copied with all that it was given,
// as a backup is restored, gets nothing a second time.
func TestACopyOfAPod(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	made := pod(ns, "kong", "dao-test")
	create(t, made)
	twin := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "twin", Labels: made.Labels, Annotations: made.Annotations},
		Spec:       *made.Spec.DeepCopy(),
	}
	create(t, twin)
	if !reflect.DeepEqual(made.Spec, twin.Spec) || !maps.Equal(made.Labels, twin.Labels) || !maps.Equal(made.Annotations, twin.Annotations) {
		t.Errorf("copied:\n%+v\nmade of it:\n%+v", made, twin)
	}
}
