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

// draws makes policies and pods out of bytes: few names, so that they meet.
type draws struct{ left []byte }

// below is a number below n; 0 where no bytes are left.
func (d *draws) below(n int) int {
	if len(d.left) == 0 {
		return 0
	}
	drawn := int(d.left[0])
	d.left = d.left[1:]
	return drawn % n
}

func (d *draws) one(of ...string) string { return of[d.below(len(of))] }

// plugins are up to two, each name once.
func (d *draws) plugins() []string {
	var drawn []string
	for _, name := range []string{"a", "b", "dao-test"} {
		if version := d.one("none", "", "", "@1", "@2"); version != "none" && len(drawn) < 2 {
			drawn = append(drawn, name+version)
		}
	}
	return drawn
}

func (d *draws) spec() spec {
	drawn := spec{Mode: v1alpha1.PolicyMode(d.one("Enforce", "Audit")), Library: d.one("", "l", "k"), Plugins: plugins(d.plugins()...)}
	for range d.below(3) {
		drawn.Allowed = append(drawn.Allowed, d.one("a", "*", "dao-*", "a@1", "*@2", "b@*"))
	}
	if d.below(2) == 1 {
		drawn.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": d.one("kong", "other")}}
	}
	if d.below(2) == 1 {
		optOut := d.below(2) == 1
		drawn.OptOut = &optOut
	}
	return drawn
}

func (d *draws) policies() []*Policy {
	var drawn []*Policy
	for i := range 1 + d.below(5) {
		read := v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%d", i)}, Spec: d.spec()}
		if policy, err := Compile(&read); err == nil { // else it decides nothing
			drawn = append(drawn, policy)
		}
	}
	return drawn
}

func (d *draws) pod() (Pod, annotations.Request) {
	given := map[string]string{annotations.Plugins: strings.Join(d.plugins(), ",")}
	if d.below(2) == 1 {
		given[annotations.Containers] = "proxy"
	}
	request, _ := annotations.Parse(given)
	return Pod{
		Namespace: "kong", Labels: map[string]string{"app": d.one("kong", "other")}, IsKong: d.below(4) > 0,
		Inject: d.one("", "", "false", "true", "no"), Migrations: d.one("", "", "off", "Off"),
	}, request
}

// FuzzApplyPolicies proves of any policies and any pod that their order changes
// nothing, not even of what is said; and that policies which audit change
// neither what the pod gets, nor whether it is denied, nor where from.
func FuzzApplyPolicies(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, drawn []byte, seed uint64) {
		draws := draws{drawn}
		policies := draws.policies()
		pod, request := draws.pod()
		asked := slices.Clone(request.Plugins)
		want, simulated := ApplyPolicies(policies, pod, request)
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // an order, not a secret
		for range 4 {
			shuffled := slices.Clone(policies)
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			got, gotSimulated := ApplyPolicies(shuffled, pod, request)
			if diff := cmp.Diff([]Outcome{want, simulated}, []Outcome{got, gotSimulated}); diff != "" {
				t.Fatalf("another order (%s, not %s) makes another outcome (-first +now):\n%s", names(shuffled), names(policies), diff)
			}
		}
		enforced := slices.DeleteFunc(slices.Clone(policies), func(policy *Policy) bool { return policy.Audits })
		without, _ := ApplyPolicies(enforced, pod, request)
		if diff := cmp.Diff([]any{without.Request, without.Denials, without.Origins}, []any{want.Request, want.Denials, want.Origins}); diff != "" {
			t.Errorf("audited policies change it (-without +with):\n%s", diff)
		}
		if !slices.Equal(asked, request.Plugins) {
			t.Errorf("the request itself became %v", request.Plugins)
		}
		consistent(t, policies, want)
	})
}

// consistent fails unless those that an outcome names are policies that can do
// what it says of them, and what is said has somebody who is named.
func consistent(t *testing.T, policies []*Policy, outcome Outcome) {
	t.Helper()
	audits := map[string]bool{}
	for _, policy := range policies {
		audits[policy.Name] = policy.Audits
	}
	for i, one := range outcome.Effects {
		if i > 0 && fmt.Sprint(outcome.Effects[i-1]) >= fmt.Sprint(one) {
			t.Errorf("the effects are not sorted, or one is there twice: %v", outcome.Effects)
		}
		simulated := one.Effect == WouldChange || one.Effect == WouldDeny
		if is, there := audits[one.Policy]; !there || is != simulated {
			t.Errorf("policy %q audits: %v, and has effect %q", one.Policy, is, one.Effect)
		}
		if simulated && i > 0 && outcome.Effects[i-1].Policy == one.Policy {
			t.Errorf("audited policy %q has several effects: %v", one.Policy, outcome.Effects)
		}
	}
	said := slices.ContainsFunc(outcome.Warnings, func(warning string) bool { return strings.HasPrefix(warning, "audited ") })
	if said && len(outcome.Effects.Policies(WouldChange, WouldDeny)) == 0 {
		t.Errorf("nobody is named for %q", outcome.Warnings)
	}
}
