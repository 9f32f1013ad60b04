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

// TestInvalidPolicyIsRejected proves that the API server rejects invalid policies with a helpful message, and accepts
// valid ones with their defaults.
func TestInvalidPolicyIsRejected(t *testing.T) {
	t.Parallel()
	const (
		needsOne     = "a policy needs at least one of plugins, allowed and library"
		keywords     = "bundled and off are keywords of KONG_PLUGINS"
		noMatch      = "should match"
		tooLong      = "may not be more than 63 bytes"
		needsValues  = "the operator of an expression must be In or NotIn with values"
		invalidLabel = `namespaceSelector: values[0][a]: Invalid value: "not valid"`
	)
	long := strings.Repeat("x", 64)
	expression := func(operator metav1.LabelSelectorOperator) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: operator}}}
	}
	for name, test := range map[string]struct {
		spec policySpec
		want string
	}{
		"empty":              {policySpec{}, needsOne},
		"only selectors":     {policySpec{NamespaceSelector: &metav1.LabelSelector{}}, needsOne},
		"empty lists":        {policySpec{Plugins: plugins(), Allowed: []string{}}, needsOne},
		"unknown mode":       {policySpec{Library: "plugins", Mode: "Warn"}, "Enforce"},
		"bundled":            {policySpec{Plugins: plugins("bundled")}, keywords},
		"off with a version": {policySpec{Plugins: plugins("off@1")}, keywords},
		"duplicate":          {policySpec{Plugins: plugins("a", "a@1")}, `Duplicate value: {"name":"a"}`},
		"dot in a name":      {policySpec{Plugins: plugins("a.b")}, noMatch},
		"comma in a name":    {policySpec{Plugins: plugins("a,b")}, noMatch},
		"version in a name":  {policySpec{Plugins: []v1alpha1.PolicyPlugin{{Name: "a@1"}}}, noMatch},
		"empty name":         {policySpec{Plugins: plugins("")}, noMatch},
		"long name":          {policySpec{Plugins: plugins(long)}, tooLong},
		"malformed version":  {policySpec{Plugins: plugins("a@-1")}, noMatch},
		"long version":       {policySpec{Plugins: plugins("a@" + long)}, tooLong},
		"malformed pattern":  {policySpec{Allowed: []string{"a?"}}, noMatch},
		"long pattern":       {policySpec{Allowed: []string{long}}, noMatch},
		"empty pattern":      {policySpec{Allowed: []string{""}}, noMatch},
		"malformed library":  {policySpec{Library: "A"}, noMatch},
		"too many plugins":   {policySpec{Plugins: numberedPlugins(65)}, "Too many"},
		"most plugins":       {policySpec{Plugins: numberedPlugins(64)}, ""},
		"plugins":            {policySpec{Plugins: plugins("a", "dao_test@1.0.0-rc.1")}, ""},
		"patterns":           {policySpec{Allowed: []string{"*", "dao-*", "a@1.*", "*@*"}}, ""},
		"library":            {policySpec{Library: "plugins", Mode: v1alpha1.Audit, OptOut: new(false)}, ""},
		"unknown operator":   {policySpec{Library: "plugins", PodSelector: expression("Near")}, needsValues},
		"In without values":  {policySpec{Library: "plugins", NamespaceSelector: expression("In")}, needsValues},
		"invalid label value": {policySpec{Library: "plugins", NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{"a": "not valid"},
		}}, invalidLabel},
	} {
		made := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{GenerateName: "schema-"}, Spec: test.spec}
		err := webhook.Admin.Create(t.Context(), made, client.DryRunAll)
		if err == nil { // the schema cannot check everything; the controller compiles the policy
			_, err = policy.Compile(made)
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q", name, err, test.want)
		}
		if test.want == "" && (made.Spec.Mode == "" || made.Spec.OptOut == nil) {
			t.Errorf("%s: the policy has no defaults: %+v", name, made.Spec)
		}
	}
}

// numberedPlugins returns plugins with different names.
func numberedPlugins(count int) []v1alpha1.PolicyPlugin {
	entries := make([]v1alpha1.PolicyPlugin, count)
	for i := range entries {
		entries[i].Name = fmt.Sprintf("plugin-%d", i)
	}
	return entries
}

// TestPolicyWithEmptyVersionIsRejected proves that a version which a template left empty is an error: the policy would
// otherwise give any version. The typed client does not send an empty version.
func TestPolicyWithEmptyVersionIsRejected(t *testing.T) {
	t.Parallel()
	made := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion().String(), "kind": "PluginPolicy",
		"metadata": map[string]any{"generateName": "schema-"},
		"spec":     map[string]any{"plugins": []any{map[string]any{"name": "a", "version": ""}}},
	}}
	err := webhook.Admin.Create(t.Context(), made, client.DryRunAll)
	if err == nil || !strings.Contains(err.Error(), `spec.plugins[0].version: Invalid value: ""`) {
		t.Errorf("the error is %v", err)
	}
}

// TestInvalidPolicyIsStalled proves that a policy whose error the API server cannot find has no effect, and reports the
// error in its conditions.
func TestInvalidPolicyIsStalled(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	expectLogError("podSelector: values[0][team]")
	invalid := createPolicy(t, "invalid", policySpec{
		Allowed:     []string{"dao-*"},
		PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "not valid"}},
	}, ns)
	message := `podSelector: values[0][team]: Invalid value: "not valid"`
	wantStatus(t, invalid, message, func(status policyStatus) bool {
		ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
		return ready.Status == metav1.ConditionFalse && ready.Reason == v1alpha1.ReasonInvalid &&
			ready.ObservedGeneration == invalid.Generation &&
			stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == v1alpha1.ReasonInvalid
	})
	wantPolicyKstatus(t, invalid, "Failed")
	source(t, ns, quiet, "1.0.0")
	wantKongPlugins(t, pod(ns, "kong", quiet), "bundled,quiet")
}
