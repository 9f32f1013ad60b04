package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/test/goldens"
)

// indexed is policies, of which only the first selects the namespaces of team
// gateways.
func indexed(t testing.TB, count int, plugins ...string) *policy.Index {
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
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}}, Plugins: given, Allowed: []string{"dao-*"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		index.Put(compiled)
	}
	return index
}

// ruled is the handler of pods in a cluster with policies, of which one counts.
func ruled(t testing.TB, c goldens.Case, policies int) http.Handler {
	t.Helper()
	handler := benchmarked(t, cached(c.Sources...))
	handler.Policies = &Policies{
		Index: indexed(t, policies, "dao-test"),
		Labels: func(context.Context, string) (map[string]string, error) {
			return map[string]string{"team": "gateways"}, nil
		},
	}
	return handler
}

// TestPoliciesElsewhereCostNothing proves that an admission does not grow with
// policies that do not select its namespace.
func TestPoliciesElsewhereCostNothing(t *testing.T) {
	c := goldenCase(t, chartCase)
	body := chartReview(t, c)
	allocations := func(policies int) float64 {
		handler := ruled(t, c, policies)
		const runs = 800 // the race detector empties pools at random: of fewer the mean is another each time
		return testing.AllocsPerRun(runs, func() { handler.ServeHTTP(&discarded{}, newRequest(body)) })
	}
	one, thousand := allocations(1), allocations(1000)
	t.Logf("%.0f allocations with one policy, %.0f with a thousand", one, thousand)
	if thousand > one+1 { // the race detector's pools are emptied at random
		t.Errorf("an admission makes %.0f allocations with one policy, %.0f with a thousand", one, thousand)
	}
}

// TestNamespaceUnknown proves that a pod is not decided on as if there were no
// policies where its namespace's labels cannot be read; and that nobody reads
// them where there is no policy.
func TestNamespaceUnknown(t *testing.T) {
	c := goldenCase(t, chartCase)
	for name, test := range map[string]struct {
		policies int
		want     int
	}{
		"a policy":  {1, http.StatusInternalServerError},
		"no policy": {0, http.StatusOK},
	} {
		h := newHarness(t, cached(c.Sources...))
		h.pods.Policies = &Policies{
			Index:  indexed(t, test.policies, "dao-test"),
			Labels: func(context.Context, string) (map[string]string, error) { return nil, errors.New("no such namespace") },
		}
		got := h.post(t, chartReview(t, c))
		if got.status != test.want || test.want != http.StatusOK && !strings.Contains(string(got.body), "no such namespace") {
			t.Errorf("%s: status %d, want %d: %s", name, got.status, test.want, got.body)
		}
	}
}

// TestPoliciesAreTold proves that what policies make of a pod is told, with its
// owner, but not of one that is not made.
func TestPoliciesAreTold(t *testing.T) {
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
		told := ""
		h.pods.Policies = &Policies{
			Index: indexed(t, 1, "dao-test"),
			Labels: func(context.Context, string) (map[string]string, error) {
				return map[string]string{"team": "gateways"}, nil
			},
			Report: func(effects policy.Effects, owner v1alpha1.WorkloadReference) {
				told = fmt.Sprint(effects, " ", owner.Name)
			},
		}
		body := test.edit(chartReview(t, c))
		if got := h.post(t, body); !got.response.Allowed || told != test.want {
			t.Errorf("%s: told %q, want %q: %s", name, told, test.want, got.body)
		}
	}
}

// BenchmarkPolicies measures a whole admission but for HTTP and TLS in a cluster
// with policies, of which one selects the pod's namespace.
func BenchmarkPolicies(b *testing.B) {
	c := goldenCase(b, chartCase)
	body := chartReview(b, c)
	for _, policies := range []int{1, 1000} {
		handler := ruled(b, c, policies)
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) { measure(b, handler, body) })
	}
}

// TestAuditsAreTold proves that the controller of a pod which an audited policy
// would deny hears of it by an Event: nobody reads the warning that it got.
func TestAuditsAreTold(t *testing.T) {
	index := &policy.Index{}
	compiled, err := policy.Compile(&v1alpha1.PluginPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "audits"}, Spec: v1alpha1.PluginPolicySpec{Mode: v1alpha1.Audit, Allowed: []string{"other"}},
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
		h.pods.Policies = &Policies{Index: index, Labels: func(context.Context, string) (map[string]string, error) { return map[string]string{}, nil }}
		body := bytes.Replace(chartReview(t, c), []byte(`"metadata":{`), []byte(`"metadata":{"ownerReferences":[{"kind":"ReplicaSet","name":"kong","controller":true}],`), 1)
		if test.dryRun {
			body = bytes.Replace(body, []byte(`"dryRun":false`), []byte(`"dryRun":true`), 1)
		}
		if got := h.post(t, body); !got.response.Allowed {
			t.Fatalf("%s: an audit denies it: %s", name, got.body)
		}
		if len(h.events.events) != test.want {
			t.Errorf("%s: Events %v, want %d", name, h.events.events, test.want)
		}
	}
}
