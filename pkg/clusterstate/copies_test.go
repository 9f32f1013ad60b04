package clusterstate

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/test/configmaps"
)

// copyOf returns the ConfigMap of a copy.
func copyOf(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: "kong", Name: name, Labels: map[string]string{annotations.Plugin: ""},
	}}
}

// TestSubscribeToDeletedCopies checks that only the deletion of a copy is reported, once for each subscriber.
func TestSubscribeToDeletedCopies(t *testing.T) {
	const a, b = catalog.CopyPrefix + "a", catalog.CopyPrefix + "b"
	sources := StaticSources(copyOf(a), copyOf(b), configmaps.Source("kong", "own", "own"))
	if got := len(sources.Copies()); got != 2 {
		t.Fatalf("got %d copies, want 2", got)
	}
	var first, second []string
	cancel := sources.SubscribeToDeletedCopies(func(key types.NamespacedName) {
		sources.Copies() // would block if a lock were held
		first = append(first, key.String())
	})
	sources.SubscribeToDeletedCopies(func(key types.NamespacedName) { second = append(second, key.String()) })
	sources.put(reducedConfigMap(t, copyOf(a)))
	sources.delete(reducedConfigMap(t, copyOf(a)))
	sources.delete(reducedConfigMap(t, copyOf(a)))
	sources.delete(reducedConfigMap(t, configmaps.Source("kong", "own", "own")))
	cancel()
	sources.put(reducedConfigMap(t, configmaps.Source("kong", b, "own"))) // no longer a copy
	if want := []string{"kong/" + a}; !slices.Equal(first, want) {
		t.Errorf("the first subscriber got %q, want %q", first, want)
	}
	if want := []string{"kong/" + a, "kong/" + b}; !slices.Equal(second, want) {
		t.Errorf("the second subscriber got %q, want %q", second, want)
	}
	if got := len(sources.Copies()); got > 0 {
		t.Errorf("%d copies remain", got)
	}
}
