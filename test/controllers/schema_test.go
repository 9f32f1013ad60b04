package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		"nothing":              {spec{}, "decides nothing"},
		"selectors alone":      {spec{NamespaceSelector: &metav1.LabelSelector{}}, "decides nothing"},
		"empty lists":          {spec{Plugins: []string{}, Allowed: []string{}}, "decides nothing"},
		"an unknown mode":      {spec{Library: "plugins", Mode: "Warn"}, "Enforce"},
		"bundled":              {spec{Plugins: []string{"bundled"}}, "words of KONG_PLUGINS"},
		"off, in a version":    {spec{Plugins: []string{"off@1"}}, "words of KONG_PLUGINS"},
		"twice":                {spec{Plugins: []string{"a", "a@1"}}, "a plugin stands in the list once"},
		"a dot in a name":      {spec{Plugins: []string{"a.b"}}, "should match"},
		"a comma":              {spec{Plugins: []string{"a,b"}}, "should match"},
		"a long name":          {spec{Plugins: []string{long}}, "should match"},
		"no version":           {spec{Plugins: []string{"a@"}}, "should match"},
		"an odd pattern":       {spec{Allowed: []string{"a?"}}, "should match"},
		"a long pattern":       {spec{Allowed: []string{long}}, "should match"},
		"an empty pattern":     {spec{Allowed: []string{""}}, "should match"},
		"no namespace's name":  {spec{Library: "A"}, "should match"},
		"too many plugins":     {spec{Plugins: strings.Split(strings.Repeat("a ", 64)+"a", " ")}, "Too many"},
		"plugins":              {spec{Plugins: []string{"a", "dao_test@1.0.0-rc.1"}}, ""},
		"patterns":             {spec{Allowed: []string{"*", "dao-*", "a@1.*", "*@*"}}, ""},
		"a library":            {spec{Library: "plugins", Mode: v1alpha1.Audit, OptOut: new(false)}, ""},
		"an unknown operator":  {spec{Library: "plugins", PodSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}, "an expression's operator is In or NotIn, with values"},
		"in nothing":           {spec{Library: "plugins", NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpIn}}}}, "an expression's operator is In or NotIn, with values"},
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

// TestAPolicyThatCannotBeRead proves that one which the API server could not know
// to be wrong decides nothing, and says so itself.
func TestAPolicyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	expect("podSelector: values[0][team]")
	wrong := policyFor(t, "wrong", v1alpha1.PluginPolicySpec{
		Allowed:     []string{"dao-*"},
		PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "not valid"}},
	}, ns)
	wantStatus(t, wrong, `podSelector: values[0][team]: Invalid value: "not valid"`, func(status v1alpha1.PluginPolicyStatus) bool {
		return status.Conditions[0].Reason == v1alpha1.ReasonInvalid && status.Conditions[0].Status == metav1.ConditionFalse
	})
	source(t, ns, quiet, "1.0.0")
	eventuallyGiven(t, pod(ns, "kong", quiet), "bundled,quiet")
}
