package controllers

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// TestThePolicySchema proves that the API server denies the policies which could
// not be read, in words that say how they should be, and takes no other that the
// webhook would not; and what it fills in.
func TestThePolicySchema(t *testing.T) {
	t.Parallel()
	type spec = v1alpha1.PluginPolicySpec
	long := strings.Repeat("x", 64)
	for name, test := range map[string]struct {
		spec spec
		want string
	}{
		"nothing":              {spec{}, "a policy needs at least one of plugins, allowed and library"},
		"selectors alone":      {spec{NamespaceSelector: &metav1.LabelSelector{}}, "a policy needs at least one of plugins, allowed and library"},
		"empty lists":          {spec{Plugins: plugins(), Allowed: []string{}}, "a policy needs at least one of plugins, allowed and library"},
		"an unknown mode":      {spec{Library: "plugins", Mode: "Warn"}, "Enforce"},
		"bundled":              {spec{Plugins: plugins("bundled")}, "bundled and off are keywords of KONG_PLUGINS"},
		"off, in a version":    {spec{Plugins: plugins("off@1")}, "bundled and off are keywords of KONG_PLUGINS"},
		"twice":                {spec{Plugins: plugins("a", "a@1")}, `Duplicate value: {"name":"a"}`},
		"a dot in a name":      {spec{Plugins: plugins("a.b")}, "should match"},
		"a comma":              {spec{Plugins: plugins("a,b")}, "should match"},
		"a long name":          {spec{Plugins: plugins(long)}, "may not be more than 63 bytes"},
		"a version in a name":  {spec{Plugins: []v1alpha1.PolicyPlugin{{Name: "a@1"}}}, "should match"},
		"an odd version":       {spec{Plugins: plugins("a@-1")}, "should match"},
		"a long version":       {spec{Plugins: plugins("a@" + long)}, "may not be more than 63 bytes"},
		"no name":              {spec{Plugins: plugins("")}, "should match"},
		"an odd pattern":       {spec{Allowed: []string{"a?"}}, "should match"},
		"a long pattern":       {spec{Allowed: []string{long}}, "should match"},
		"an empty pattern":     {spec{Allowed: []string{""}}, "should match"},
		"no namespace's name":  {spec{Library: "A"}, "should match"},
		"too many plugins":     {spec{Plugins: numbered(65)}, "Too many"},
		"many plugins":         {spec{Plugins: numbered(64)}, ""},
		"plugins":              {spec{Plugins: plugins("a", "dao_test@1.0.0-rc.1")}, ""},
		"patterns":             {spec{Allowed: []string{"*", "dao-*", "a@1.*", "*@*"}}, ""},
		"a library":            {spec{Library: "plugins", Mode: v1alpha1.Audit, OptOut: new(false)}, ""},
		"an unknown operator":  {spec{Library: "plugins", PodSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}, "the operator of an expression must be In or NotIn with values"},
		"in nothing":           {spec{Library: "plugins", NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpIn}}}}, "the operator of an expression must be In or NotIn with values"},
		"a value that is none": {spec{Library: "plugins", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "not valid"}}}, "policy"},
	} {
		made := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{GenerateName: "schema-"}, Spec: test.spec}
		err := webhook.Admin.Create(t.Context(), made, client.DryRunAll)
		if err == nil { // what a schema cannot say, the controller does
			_, err = policy.Compile(made)
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if test.want == "" && (made.Spec.Mode == "" || made.Spec.OptOut == nil) {
			t.Errorf("%s: it has no defaults: %+v", name, made.Spec)
		}
	}
}

// numbered returns plugins with different names.
func numbered(count int) []v1alpha1.PolicyPlugin {
	entries := make([]v1alpha1.PolicyPlugin, count)
	for i := range entries {
		entries[i].Name = fmt.Sprintf("plugin-%d", i)
	}
	return entries
}

// TestPolicyWithEmptyVersionIsDenied proves that a version which a template left empty is an error: the policy would
// otherwise give any version. The typed client does not send an empty version.
func TestPolicyWithEmptyVersionIsDenied(t *testing.T) {
	t.Parallel()
	made := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion().String(), "kind": "PluginPolicy", "metadata": map[string]any{"generateName": "schema-"},
		"spec": map[string]any{"plugins": []any{map[string]any{"name": "a", "version": ""}}},
	}}
	err := webhook.Admin.Create(t.Context(), made, client.DryRunAll)
	if err == nil || !strings.Contains(err.Error(), `spec.plugins[0].version: Invalid value: ""`) {
		t.Errorf("the error is %v", err)
	}
}

// TestAPolicyThatCannotBeRead proves that one which the API server could not know
// to be wrong decides nothing, and says so itself.
func TestAPolicyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	expectLogError("podSelector: values[0][team]")
	wrong := policyFor(t, "wrong", v1alpha1.PluginPolicySpec{
		Allowed:     []string{"dao-*"},
		PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "not valid"}},
	}, ns)
	wantStatus(t, wrong, `podSelector: values[0][team]: Invalid value: "not valid"`, func(status v1alpha1.PluginPolicyStatus) bool {
		ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
		return ready.Status == metav1.ConditionFalse && ready.Reason == v1alpha1.ReasonInvalid && ready.ObservedGeneration == wrong.Generation &&
			stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == v1alpha1.ReasonInvalid
	})
	source(t, ns, quiet, "1.0.0")
	eventuallyGiven(t, pod(ns, "kong", quiet), "bundled,quiet")
}
