package goldens

import (
	"testing"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
)

// Admit returns the decision about the pod of the case without policies.
func (c Case) Admit(t testing.TB) decision.Decision {
	t.Helper()
	view, err := mutate.DecodePod(c.Pod)
	if err != nil {
		t.Fatalf("%s: %v\n%s", c.Name, err, c.Pod)
	}
	return Admit(t, c.Namespace, view, Catalog(c.Sources))
}

// Admit returns the decision about a pod without policies.
func Admit(t testing.TB, namespace string, view mutate.Pod, index *catalog.Index) decision.Decision {
	t.Helper()
	admitted, err := decision.Admit(
		decision.Pod{Namespace: namespace, View: view}, decision.Cluster{Releases: index.Releases})
	if err != nil {
		t.Fatal(err)
	}
	return admitted
}
