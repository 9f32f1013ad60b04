package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

type (
	spec = v1alpha1.PluginPolicySpec
	// specs are policies by name.
	specs = map[string]spec
	// annotated is a pod's annotations, their names without the prefix.
	annotated = map[string]string
)

// plugins returns plugins that are written as "name" or "name@version".
func plugins(refs ...string) []v1alpha1.PolicyPlugin {
	var plugins []v1alpha1.PolicyPlugin
	for _, ref := range refs {
		name, version, _ := strings.Cut(ref, "@")
		plugins = append(plugins, v1alpha1.PolicyPlugin{Name: name, Version: version})
	}
	return plugins
}

func requires(refs ...string) spec  { return spec{Plugins: plugins(refs...)} }
func allows(allowed ...string) spec { return spec{Allowed: allowed} }

func withoutOptOut(of spec) spec {
	of.OptOut = new(false)
	return of
}

func audited(of spec) spec {
	of.Mode = v1alpha1.Audit
	return of
}

func from(library string, of spec) spec {
	of.Library = library
	return of
}

func forPods(selector *metav1.LabelSelector, of spec) spec {
	of.PodSelector = selector
	return of
}

func labelled(name, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{name: value}}
}

// compiled returns the policy of a valid spec.
func compiled(t testing.TB, name string, of spec) *Policy {
	t.Helper()
	policy, err := Compile(&v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: of})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// compiledAll returns the policies of valid specs.
func compiledAll(t testing.TB, all specs) []*Policy {
	t.Helper()
	var policies []*Policy
	for name, of := range all {
		policies = append(policies, compiled(t, name, of))
	}
	return policies
}

// applyCase is one call of ApplyPolicies.
type applyCase struct {
	policies    specs
	annotations annotated
	labels      map[string]string
	notKong     bool
	// want has the lines that describe the outcome, in any order.
	want   []string
	reason string
}

func (c applyCase) apply(t *testing.T) Outcome {
	t.Helper()
	all := map[string]string{}
	for name, value := range c.annotations {
		all[annotations.Prefix+name] = value
	}
	request, denials := annotations.Parse(all)
	if len(denials) > 0 {
		t.Fatal(denials)
	}
	actual, _ := ApplyPolicies(compiledAll(t, c.policies), Pod{
		Namespace: "kong", Labels: c.labels, IsKong: !c.notKong,
		Inject: all[annotations.Inject], Migrations: all[annotations.Migrations],
	}, request)
	return actual
}

// lines describes an outcome. A policy that injects its plugins has no line.
func lines(outcome Outcome) []string {
	var lines []string
	for _, ref := range outcome.Request.Plugins {
		lines = append(lines, "plugin "+ref.String())
	}
	if outcome.Request.AllKongContainers {
		lines = append(lines, "all Kong containers")
	}
	for _, denied := range outcome.Denials {
		lines = append(lines, string(denied.Reason)+": "+denied.Message)
	}
	for _, warning := range outcome.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	for _, ref := range outcome.Request.Plugins {
		if origin, exists := outcome.Origins[ref.Name]; exists {
			lines = append(lines, fmt.Sprintf("%s from %s, only %v", ref.Name, strings.Join(origin.Libraries, " "), origin.Only))
		}
	}
	for _, kind := range []EffectKind{Denied, OptedOut, WouldChange, WouldDeny} {
		if names := outcome.Effects.Policies(kind); len(names) > 0 {
			lines = append(lines, string(kind)+" "+strings.Join(names, " "))
		}
	}
	slices.Sort(lines)
	return lines
}

func testApply(t *testing.T, cases map[string]applyCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(slices.Sorted(slices.Values(c.want)), lines(c.apply(t))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

// notAllowed is the message of a denial.
func notAllowed(plugin, policy, allowed string) string {
	return fmt.Sprintf(`plugin %q: policy %q does not allow it in namespace "kong", only %s; `+
		`request an allowed plugin, or change the policy`, plugin, policy, allowed)
}

// conflict is the message of a denial.
func conflict(claims string) string {
	return `plugin "a": ` + claims + `; use the same version in all of them`
}

const (
	malformedInject     = `annotation kongdao.io/inject: the value is "no"; use "true" or "false"`
	malformedMigrations = `annotation kongdao.io/migrations: the value is "Off"; use "auto", "up" or "off"`
)
