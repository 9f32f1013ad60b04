package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// generator makes policies and pods from bytes. It uses few names, so that they often meet.
type generator struct{ bytes []byte }

// below returns a number below n, 0 if no bytes are left.
func (g *generator) below(n int) int {
	if len(g.bytes) == 0 {
		return 0
	}
	first := int(g.bytes[0])
	g.bytes = g.bytes[1:]
	return first % n
}

func (g *generator) one(of ...string) string { return of[g.below(len(of))] }

// plugins returns up to two plugins with different names.
func (g *generator) plugins() []string {
	var refs []string
	for _, name := range []string{"a", "b", "dao-test"} {
		if version := g.one("none", "", "", "@1", "@2"); version != "none" && len(refs) < 2 {
			refs = append(refs, name+version)
		}
	}
	return refs
}

func (g *generator) spec() spec {
	generated := spec{
		Mode: v1alpha1.PolicyMode(g.one("Enforce", "Audit")), Library: g.one("", "l", "k"), Plugins: plugins(g.plugins()...),
	}
	for range g.below(3) {
		generated.Allowed = append(generated.Allowed, g.one("a", "*", "dao-*", "a@1", "*@2", "b@*"))
	}
	if g.below(2) == 1 {
		generated.PodSelector = labelled("app", g.one("kong", "other"))
	}
	if g.below(2) == 1 {
		generated.OptOut = new(g.below(2) == 1)
	}
	return generated
}

// policies returns the valid ones of up to five policies.
func (g *generator) policies() []*Policy {
	var policies []*Policy
	for i := range 1 + g.below(5) {
		object := v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%d", i)}, Spec: g.spec()}
		if policy, err := Compile(&object); err == nil {
			policies = append(policies, policy)
		}
	}
	return policies
}

func (g *generator) pod() (Pod, annotations.Request) {
	all := map[string]string{annotations.Plugins: strings.Join(g.plugins(), ",")}
	if g.below(2) == 1 {
		all[annotations.Containers] = "proxy"
	}
	request, _ := annotations.Parse(all)
	return Pod{
		Namespace: "kong", Labels: map[string]string{"app": g.one("kong", "other")}, IsKong: g.below(4) > 0,
		Inject: g.one("", "", "false", "true", "no"), Migrations: g.one("", "", "off", "Off"),
	}, request
}

// FuzzApplyPolicies proves that the order of policies changes nothing, and no message either. It also proves that
// audited policies do not change the request, the denials and the origins.
func FuzzApplyPolicies(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, bytes []byte, seed uint64) {
		generator := generator{bytes}
		policies := generator.policies()
		pod, request := generator.pod()
		requested := slices.Clone(request.Plugins)
		actual, simulated := ApplyPolicies(policies, pod, request)
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // an order, not a secret
		for range 4 {
			shuffled := slices.Clone(policies)
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			gotActual, gotSimulated := ApplyPolicies(shuffled, pod, request)
			if diff := cmp.Diff([]Outcome{actual, simulated}, []Outcome{gotActual, gotSimulated}); diff != "" {
				t.Fatalf("policies %s and %s have different outcomes (-first +second):\n%s",
					names(policies), names(shuffled), diff)
			}
		}
		enforced := slices.DeleteFunc(slices.Clone(policies), func(policy *Policy) bool { return policy.Audits })
		without, _ := ApplyPolicies(enforced, pod, request)
		want := []any{without.Request, without.Denials, without.Origins}
		if diff := cmp.Diff(want, []any{actual.Request, actual.Denials, actual.Origins}); diff != "" {
			t.Errorf("audited policies change the outcome (-without +with):\n%s", diff)
		}
		if !slices.Equal(requested, request.Plugins) {
			t.Errorf("the pod's request was changed to %v", request.Plugins)
		}
		checkEffects(t, policies, actual)
	})
}

// checkEffects checks that effects are sorted and unique, that audited policies have one effect of their kinds, and
// that each warning about audited policies has an effect.
func checkEffects(t *testing.T, policies []*Policy, outcome Outcome) {
	t.Helper()
	audits := map[string]bool{}
	for _, policy := range policies {
		audits[policy.Name] = policy.Audits
	}
	for i, effect := range outcome.Effects {
		if i > 0 && fmt.Sprint(outcome.Effects[i-1]) >= fmt.Sprint(effect) {
			t.Errorf("the effects are not sorted or not unique: %v", outcome.Effects)
		}
		simulated := effect.Kind == WouldChange || effect.Kind == WouldDeny
		if isAudited, exists := audits[effect.Policy]; !exists || isAudited != simulated {
			t.Errorf("policy %q has effect %q; it is audited: %v", effect.Policy, effect.Kind, isAudited)
		}
		if simulated && i > 0 && outcome.Effects[i-1].Policy == effect.Policy {
			t.Errorf("audited policy %q has several effects: %v", effect.Policy, outcome.Effects)
		}
	}
	isAudit := func(warning string) bool { return strings.HasPrefix(warning, "audited ") }
	if slices.ContainsFunc(outcome.Warnings, isAudit) && len(outcome.Effects.Policies(WouldChange, WouldDeny)) == 0 {
		t.Errorf("no policy has an effect, but there are warnings: %q", outcome.Warnings)
	}
}
