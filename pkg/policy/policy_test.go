package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestCompile proves what a compiled policy has and selects, with the defaults of the API server and without them.
func TestCompile(t *testing.T) {
	const everything = "none a=b a=c"
	notB := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "a", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"b"}},
	}}
	for name, test := range map[string]struct {
		spec           spec
		audits, optOut bool
		plugins        string
		// namespaces and pods are the labels that are selected, of those in everything.
		namespaces, pods string
		reason           string
	}{
		"defaults": {spec: spec{Library: "l"}, optOut: true, namespaces: everything, pods: everything},
		"completed": {
			spec: spec{Library: "l", Mode: v1alpha1.Enforce, OptOut: new(true)}, optOut: true,
			namespaces: everything, pods: everything,
		},
		"audit": {
			spec: audited(spec{Library: "l"}), audits: true, optOut: true, namespaces: everything, pods: everything,
		},
		"no opt-out": {spec: withoutOptOut(spec{Library: "l"}), namespaces: everything, pods: everything},
		"sorted": {
			spec: requires("c@2", "a", "B"), optOut: true, plugins: "B a c@2", namespaces: everything, pods: everything,
		},
		"empty selectors": {
			spec:   spec{Library: "l", NamespaceSelector: &metav1.LabelSelector{}, PodSelector: &metav1.LabelSelector{}},
			optOut: true, namespaces: everything, pods: everything, reason: "an empty selector selects everything",
		},
		"selectors": {
			spec:   spec{Library: "l", NamespaceSelector: labelled("a", "b"), PodSelector: labelled("a", "c")},
			optOut: true, namespaces: "a=b", pods: "a=c",
		},
		"expression": {
			spec:   spec{Library: "l", NamespaceSelector: notB},
			optOut: true, namespaces: "none a=c", pods: everything, reason: "NotIn also selects objects without the label",
		},
	} {
		t.Run(name, func(t *testing.T) {
			policy := compiled(t, "p", test.spec)
			if policy.Name != "p" || policy.Library != test.spec.Library {
				t.Errorf("%+v", policy)
			}
			if policy.Audits != test.audits || policy.OptOut != test.optOut {
				t.Errorf("%+v: %s", policy, test.reason)
			}
			var plugins []string
			for _, ref := range policy.Plugins {
				plugins = append(plugins, ref.String())
			}
			got := []string{strings.Join(plugins, " "), selected(policy.selectsNamespace), selected(policy.SelectsPod)}
			if diff := cmp.Diff([]string{test.plugins, test.namespaces, test.pods}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// selected lists the labels that are selected: none, a=b and a=c.
func selected(selects func(map[string]string) bool) string {
	var texts []string
	if selects(nil) {
		texts = append(texts, "none")
	}
	for _, value := range []string{"b", "c"} {
		if selects(map[string]string{"a": value}) {
			texts = append(texts, "a="+value)
		}
	}
	return strings.Join(texts, " ")
}

// TestReadsPodLabels proves that pod labels are read only if they matter.
func TestReadsPodLabels(t *testing.T) {
	selector := labelled("a", "b")
	for name, test := range map[string]struct {
		spec spec
		want bool
	}{
		"plugins for all pods":  {requires("a"), false},
		"plugins for some pods": {forPods(selector, requires("a")), true},
		"no plugins":            {forPods(selector, allows("a")), false},
	} {
		if got := compiled(t, "p", test.spec).ReadsPodLabels(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
