package admission

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/test/goldens"
)

// policyIndex returns policies. Only the first one selects the namespaces of the team "gateways".
func policyIndex(t testing.TB, count int, plugins ...string) *policy.Index {
	t.Helper()
	var given []v1alpha1.PolicyPlugin
	for _, name := range plugins {
		given = append(given, v1alpha1.PolicyPlugin{Name: name})
	}
	index := &policy.Index{}
	for i := range count {
		team := "gateways"
		if i > 0 {
			team = fmt.Sprintf("other-%d", i)
		}
		compiled, err := policy.Compile(&v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("policy-%d", i)},
			Spec: v1alpha1.PluginPolicySpec{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}}, Plugins: given,
				Allowed: []string{"dao-*"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		index.Put(compiled)
	}
	return index
}

// podsWithPolicies returns the handler for pods in a cluster with policies. One of them selects the namespace.
func podsWithPolicies(t testing.TB, c goldens.Case, policies int) http.Handler {
	t.Helper()
	handler := quietPods(t, cached(c.Sources...))
	handler.Cluster.Policies = &clusterstate.NamespacePolicies{
		Index: policyIndex(t, policies, "dao-test"), Namespaces: fakeLabels{"team": "gateways"},
	}
	return handler
}

// TestUnrelatedPoliciesCostNothing checks that policies for other namespaces do not add allocations.
func TestUnrelatedPoliciesCostNothing(t *testing.T) {
	c := goldenCase(t, chartCase)
	body := chartReview(t, c)
	allocations := func(policies int) float64 {
		handler := podsWithPolicies(t, c, policies)
		const runs = 800 // the race detector empties pools at random, so the mean of fewer runs varies
		return testing.AllocsPerRun(runs, func() { handler.ServeHTTP(&discardingWriter{}, newRequest(body)) })
	}
	one, thousand := allocations(1), allocations(1000)
	t.Logf("%.0f allocations with one policy, %.0f with a thousand", one, thousand)
	if thousand > one+1 { // because the race detector empties pools at random
		t.Errorf("an admission makes %.0f allocations with one policy, %.0f with a thousand", one, thousand)
	}
}

// TestUnreadableNamespaceIsAFailure checks that unreadable labels of a namespace are a failure and not a namespace
// without policies. Without policies, the labels are not read.
func TestUnreadableNamespaceIsAFailure(t *testing.T) {
	c := goldenCase(t, chartCase)
	for name, test := range map[string]struct {
		policies int
		want     int
	}{
		"a policy":  {1, http.StatusInternalServerError},
		"no policy": {0, http.StatusOK},
	} {
		h := newHarness(t, cached(c.Sources...))
		h.cluster.Policies = &clusterstate.NamespacePolicies{
			Index:      policyIndex(t, test.policies, "dao-test"),
			Namespaces: failingLabels{errors.New("no such namespace")},
		}
		got := h.post(t, chartReview(t, c))
		if got.status != test.want || test.want != http.StatusOK && !strings.Contains(string(got.body), "no such namespace") {
			t.Errorf("%s: status %d, want %d: %s", name, got.status, test.want, got.body)
		}
	}
}

// TestEffectsAreRecorded checks that the effects of policies are recorded with the pod's owner, except in a dry run.
func TestEffectsAreRecorded(t *testing.T) {
	c := goldenCase(t, chartCase)
	for name, test := range map[string]struct {
		edit func(body []byte) []byte
		want string
	}{
		"created": {func(body []byte) []byte { return body }, "[{policy-0 injected}] "},
		"dry run": {func(body []byte) []byte {
			return bytes.Replace(body, []byte(`"dryRun":false`), []byte(`"dryRun":true`), 1)
		}, ""},
	} {
		h := newHarness(t, cached(c.Sources...))
		effects := &fakeEffects{}
		h.cluster.Policies = &clusterstate.NamespacePolicies{
			Index: policyIndex(t, 1, "dao-test"), Namespaces: fakeLabels{"team": "gateways"},
		}
		h.cluster.Effects = effects
		got := h.post(t, test.edit(chartReview(t, c)))
		recorded := ""
		if effects.recorded {
			recorded = fmt.Sprint(effects.effects, " ", effects.owner.Name)
		}
		if !got.response.Allowed || recorded != test.want {
			t.Errorf("%s: recorded %q, want %q: %s", name, recorded, test.want, got.body)
		}
	}
}

// BenchmarkPolicies measures an admission without HTTP and TLS. One of the policies selects the pod's namespace.
func BenchmarkPolicies(b *testing.B) {
	c := goldenCase(b, chartCase)
	body := chartReview(b, c)
	for _, policies := range []int{1, 1000} {
		handler := podsWithPolicies(b, c, policies)
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) { measure(b, handler, body) })
	}
}

// TestAuditIsRecordedOnController checks that a policy in audit mode gives an Event on the pod's controller, because no
// person sees the warnings that a controller gets.
func TestAuditIsRecordedOnController(t *testing.T) {
	index := &policy.Index{}
	compiled, err := policy.Compile(&v1alpha1.PluginPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "audits"}, Spec: v1alpha1.PluginPolicySpec{Mode: v1alpha1.Audit,
			Allowed: []string{"other"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	index.Put(compiled)
	for name, test := range map[string]struct {
		dryRun bool
		want   int
	}{"created": {false, 1}, "dry run": {true, 0}} {
		c := goldenCase(t, chartCase)
		h := newHarness(t, cached(c.Sources...))
		h.cluster.Policies = &clusterstate.NamespacePolicies{Index: index, Namespaces: fakeLabels{}}
		body := bytes.Replace(chartReview(t, c), []byte(`"metadata":{`),
			[]byte(`"metadata":{"ownerReferences":[{"kind":"ReplicaSet","name":"kong","controller":true}],`), 1)
		if test.dryRun {
			body = bytes.Replace(body, []byte(`"dryRun":false`), []byte(`"dryRun":true`), 1)
		}
		if got := h.post(t, body); !got.response.Allowed {
			t.Fatalf("%s: the audit denies the pod: %s", name, got.body)
		}
		if len(h.events.events) != test.want {
			t.Errorf("%s: got Events %v, want %d", name, h.events.events, test.want)
		}
	}
}
