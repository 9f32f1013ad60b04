package chart

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKustomizeEqualsChart proves that deploy/kustomize/base has the objects that Helm renders, without Helm's labels,
// and the namespace.
func TestKustomizeEqualsChart(t *testing.T) {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	text, err := runProgram(t, kubectl, "kustomize", filepath.Join(chartDir, "..", "..", "kustomize", "base"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]any{}, map[string]any{}
	for _, object := range render(t, "--skip-tests") {
		removeHelmLabels(t, object.Object)
		want[key(object)] = object.Object
	}
	for _, object := range decode(t, text) {
		got[key(object)] = object.Object
	}
	namespace := "Namespace /" + releaseNamespace
	if got[namespace] == nil {
		t.Errorf("%s is missing in %v", namespace, slices.Sorted(maps.Keys(got)))
	}
	delete(got, namespace)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-helm +kustomize)\n%s", diff)
	}
}

// removeHelmLabels removes, at every level of an object, the labels that say that Helm manages it.
func removeHelmLabels(t *testing.T, object map[string]any) {
	t.Helper()
	for name, value := range object {
		inner, isMap := value.(map[string]any)
		switch {
		case slices.Contains([]string{"helm.sh/chart", "app.kubernetes.io/managed-by"}, name):
			delete(object, name)
		case isMap:
			removeHelmLabels(t, inner)
		}
	}
}
