package scope_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/fields"

	"kongdao.io/kongdao/pkg/scope"
)

// TestExcludes proves in which namespaces kongdao does not work.
func TestExcludes(t *testing.T) {
	for name, test := range map[string]struct {
		own, selector, namespace string
		labels                   map[string]string
		want                     bool
		reason                   string
	}{
		"any namespace":   {own: "kongdao-system", namespace: "kong"},
		"system":          {own: "kongdao-system", namespace: "kube-system", want: true},
		"own":             {own: "kongdao-system", namespace: "kongdao-system", want: true},
		"own, other name": {own: "plugins", namespace: "kongdao-system"},
		"own, unknown":    {namespace: "", reason: "a cluster-scoped object is in no excluded namespace"},
		"label matches": {
			selector: "team=a,stage notin (test)", namespace: "kong", labels: map[string]string{"team": "a"},
		},
		"label does not match": {selector: "team=a", namespace: "kong", labels: map[string]string{"team": "b"}, want: true},
		"label is missing":     {selector: "team", namespace: "kong", want: true},
		"system with the label": {
			selector: "team=a", namespace: "kube-system", labels: map[string]string{"team": "a"}, want: true,
			reason: "no selector adds kube-system",
		},
	} {
		s, err := scope.New(test.own, test.selector)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Excludes(test.namespace, test.labels); got != test.want {
			t.Errorf("%s: Excludes is %v, want %v: %s", name, got, test.want, test.reason)
		}
		selected := s.Fields().Matches(fields.Set{"metadata.namespace": test.namespace})
		if selected == s.ExcludesName(test.namespace) || s.NeedsLabels() != (test.selector != "") {
			t.Errorf("%s: caches select the namespace: %v", name, selected)
		}
	}
}

// TestInvalidSelector proves that a selector that Kubernetes does not accept is an error.
func TestInvalidSelector(t *testing.T) {
	if _, err := scope.New("kongdao-system", "team in ("); err == nil {
		t.Error("there is no error")
	}
}
