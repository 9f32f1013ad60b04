package clusterstate

import (
	"context"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// fakePolicies is a reader that lists some policies.
type fakePolicies struct {
	client.Reader
	items []v1alpha1.PluginPolicy
}

func (f fakePolicies) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.PluginPolicyList).Items = f.items
	return nil
}

func policyOf(name string, generation int64, spec v1alpha1.PluginPolicySpec) *v1alpha1.PluginPolicy {
	return &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: generation}, Spec: spec}
}

// invalidSpec returns a spec without effect, which does not compile.
func invalidSpec() v1alpha1.PluginPolicySpec { return v1alpha1.PluginPolicySpec{} }

// policyNames returns the names of the policies in an index that select a namespace with a label.
func policyNames(policies []*policy.Policy) []string {
	names := []string{}
	for _, one := range policies {
		names = append(names, one.Name)
	}
	return names
}

// TestReadPolicies checks that the set reports invalid policies, and that only valid ones select namespaces.
func TestReadPolicies(t *testing.T) {
	selective := v1alpha1.PluginPolicySpec{Library: "plugins", NamespaceSelector: &metav1.LabelSelector{
		MatchLabels: map[string]string{"team": "a"},
	}}
	everywhere := v1alpha1.PluginPolicySpec{Allowed: []string{"dao-*"}}
	items := []v1alpha1.PluginPolicy{
		*policyOf("selective", 1, selective), *policyOf("everywhere", 1, everywhere), *policyOf("invalid", 1, invalidSpec()),
	}
	set, err := ReadPolicies(t.Context(), fakePolicies{items: items})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Items) != 3 || len(set.Valid) != 2 || len(set.Errors) != 1 || set.Errors["invalid"] == nil {
		t.Errorf("the policies are %d items, %d valid and the errors %v", len(set.Items), len(set.Valid), set.Errors)
	}
	for team, want := range map[string][]string{"a": {"everywhere", "selective"}, "b": {"everywhere"}} {
		if got := policyNames(set.Of("ns-"+team, map[string]string{"team": team})); !slices.Equal(got, want) {
			t.Errorf("team %s has the policies %q, want %q", team, got, want)
		}
	}
	if set.HavePlugins() {
		t.Error("HavePlugins is true, but no policy has plugins")
	}
	gives := v1alpha1.PluginPolicySpec{Plugins: []v1alpha1.PolicyPlugin{{Name: "dao-test"}}}
	if set, err = ReadPolicies(t.Context(), fakePolicies{items: append(items, *policyOf("gives", 1, gives))}); err != nil {
		t.Fatal(err)
	}
	if !set.HavePlugins() {
		t.Error("HavePlugins is false, but a policy has plugins")
	}
}

// TestPolicyEventsUpdateTheIndex checks that the index holds the policies that are valid now. An update without a new
// generation does not change the index.
func TestPolicyEventsUpdateTheIndex(t *testing.T) {
	index := &policy.Index{}
	handler := policyHandler{index, logr.Discard()}
	valid := v1alpha1.PluginPolicySpec{Library: "plugins"}
	want := func(when string, want ...string) {
		t.Helper()
		if got := policyNames(index.Of("kong", nil)); !slices.Equal(got, want) {
			t.Errorf("%s, the index holds %q, want %q", when, got, want)
		}
	}
	a, b := policyOf("a", 1, valid), policyOf("b", 1, valid)
	handler.put(a)
	handler.put(b)
	handler.put(policyOf("c", 1, invalidSpec()))
	want("after the first events", "a", "b")
	handler.update(a, policyOf("a", 1, invalidSpec()))
	want("after an update with the same generation", "a", "b")
	recreated := policyOf("a", 1, v1alpha1.PluginPolicySpec{Library: "plugins", NamespaceSelector: &metav1.LabelSelector{
		MatchLabels: map[string]string{"team": "a"},
	}})
	recreated.UID = "another"
	handler.update(a, recreated)
	want("after a was deleted and created again while the watch was interrupted", "b")
	handler.update(recreated, a)
	want("after the same happens again", "a", "b")
	handler.update(a, policyOf("a", 2, invalidSpec()))
	want("after a becomes invalid", "b")
	handler.update(policyOf("a", 2, invalidSpec()), policyOf("a", 3, valid))
	want("after a becomes valid", "a", "b")
	handler.delete(b)
	want("after b is deleted", "a")
	handler.delete(toolscache.DeletedFinalStateUnknown{Key: "a", Obj: a})
	want("after the deletion of a was missed")
}
