package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// createLibrary creates a namespace with a release of the plugin quiet, and namespaces that a policy gives it to.
func createLibrary(
	t *testing.T, spec policySpec, userCount int,
) (library string, policy *v1alpha1.PluginPolicy, users []string) {
	t.Helper()
	library = shared.CreateNamespace(t)
	source(t, library, quiet, "1.0.0")
	for range userCount {
		users = append(users, shared.CreateNamespace(t))
	}
	spec.Library = library
	return library, createPolicy(t, "library", spec, users...), users
}

// kongdaoClient returns a client with the name and the rights of the controller.
func kongdaoClient(t *testing.T) client.Client {
	t.Helper()
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: installation.ControllerUser}
	impersonating, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return impersonating
}

// eventNotes returns the notes of all Events about an object in a namespace.
func eventNotes(ctx context.Context, namespace, name string) (string, error) {
	var list eventsv1.EventList
	if err := webhook.Admin.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return "", err
	}
	var notes []string
	for _, event := range list.Items {
		if event.Regarding.Name == name {
			notes = append(notes, event.Note)
		}
	}
	return strings.Join(notes, "\n"), nil
}

// copiesIn returns the copies in a namespace, sorted by name.
func copiesIn(ctx context.Context, t *testing.T, namespace string) []corev1.ConfigMap {
	t.Helper()
	var list corev1.ConfigMapList
	err := webhook.Admin.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{annotations.CopyOf})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// awaitsCopies reports whether a pod has the scheduling gate of pods that wait for copies.
func awaitsCopies(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: annotations.LibraryGate})
}

// wantCopiesProvided waits until pods no longer wait for copies.
func wantCopiesProvided(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		cluster.Eventually(t, func(ctx context.Context) error {
			if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
				return err
			}
			if awaitsCopies(pod) {
				return fmt.Errorf("pod %s/%s waits for copies", pod.Namespace, pod.Name)
			}
			return nil
		})
	}
}

// checkCopy fails the test unless a copy holds the same files as the ConfigMap in the library, is immutable, and names
// its origin.
func checkCopy(t *testing.T, copied corev1.ConfigMap, library, version string) {
	t.Helper()
	original := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: library, Name: quiet + "-" + version}}
	get(t, original)
	got, want := slices.Sorted(maps.Values(copied.Data)), slices.Sorted(maps.Values(original.Data))
	name := copied.Namespace + "/" + copied.Name
	if !slices.Equal(got, want) {
		t.Errorf("copy %s holds %q, and the library %q", name, got, want)
	}
	if copied.Immutable == nil || !*copied.Immutable {
		t.Errorf("copy %s is mutable", name)
	}
	labels, notes := copied.Labels, copied.Annotations
	if labels[annotations.CopyOf] != quiet || labels["app.kubernetes.io/managed-by"] != "kongdao" ||
		notes[annotations.Origin] != library+"/"+quiet+"@"+version ||
		!strings.HasPrefix(notes[annotations.Digest], "sha256:") {
		t.Errorf("copy %s has labels %v and annotations %v", name, labels, notes)
	}
}
