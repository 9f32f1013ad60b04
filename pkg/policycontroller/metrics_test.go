package policycontroller

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/policy"
)

// values reads a metric by its labels' values, joined with spaces.
func values(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			var key []string
			for _, label := range slices.Sorted(maps.Keys(labels)) {
				key = append(key, label+"="+labels[label])
			}
			read[strings.Join(key, " ")] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return read
}

// registered are metrics in a registry of their own, of no pods.
func registered(t *testing.T) (*Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	metrics, err := NewMetrics(registry, &clusterstate.InjectedPods{})
	if err != nil {
		t.Fatal(err)
	}
	return metrics, registry
}

// TestCount proves that each effect of a policy is counted.
func TestCount(t *testing.T) {
	metrics, registry := registered(t)
	for _, effects := range []policy.Effects{
		nil,
		{{Policy: "a", Effect: policy.Injected}, {Policy: "b", Effect: policy.Injected}, {Policy: "c", Effect: policy.OptedOut}},
		{{Policy: "a", Effect: policy.Injected}, {Policy: "d", Effect: policy.WouldChange}},
		{{Policy: "b", Effect: policy.Denied}, {Policy: "d", Effect: policy.WouldChange}, {Policy: "e", Effect: policy.WouldDeny}},
	} {
		metrics.Count(effects)
	}
	want := map[string]float64{
		"effect=injected policy=a": 2, "effect=injected policy=b": 1, "effect=denied policy=b": 1, "effect=opted_out policy=c": 1,
		"effect=would_change policy=d": 2, "effect=would_deny policy=e": 1,
	}
	if diff := cmp.Diff(want, values(t, registry, "kongdao_policy_admissions_total")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func policyOf(name string, mode v1alpha1.PolicyMode, status v1alpha1.PluginPolicyStatus) v1alpha1.PluginPolicy {
	return v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.PluginPolicySpec{Mode: mode}, Status: status}
}

// TestShow proves what is shown of what the leader has counted, that the last
// count is the one that is shown, and that whoever counts nothing shows nothing.
func TestShow(t *testing.T) {
	metrics, registry := registered(t)
	shown := func() map[string]float64 {
		all := values(t, registry, "kongdao_policy_pods")
		for key, value := range values(t, registry, "kongdao_policy_denied_workloads") {
			all["denied "+key] = value
		}
		return all
	}
	want := func(when string, want map[string]float64) {
		t.Helper()
		if diff := cmp.Diff(want, shown()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", when, diff)
		}
	}
	want("before anything is counted", map[string]float64{})
	metrics.show([]v1alpha1.PluginPolicy{
		policyOf("a", v1alpha1.Enforce, v1alpha1.PluginPolicyStatus{Pods: 7, Injected: 4, OptedOut: 1, Outdated: 2, Denied: 3}),
		policyOf("b", v1alpha1.Enforce, v1alpha1.PluginPolicyStatus{}),
	})
	want("counted", map[string]float64{
		"policy=a state=injected": 4, "policy=a state=opted_out": 1, "policy=a state=outdated": 2, "denied policy=a": 3,
		"policy=b state=injected": 0, "policy=b state=opted_out": 0, "policy=b state=outdated": 0, "denied policy=b": 0,
	})
	metrics.show([]v1alpha1.PluginPolicy{policyOf("b", v1alpha1.Audit, v1alpha1.PluginPolicyStatus{Outdated: 1})})
	want("a is gone, and nobody has to roll pods for an audit", map[string]float64{
		"policy=b state=injected": 0, "policy=b state=opted_out": 0, "policy=b state=would_change": 1, "denied policy=b": 0,
	})
	metrics.show(nil)
	want("nothing is there", map[string]float64{})
	// Every replica knows who waits.
	if diff := cmp.Diff(map[string]float64{"": 0}, values(t, registry, "kongdao_library_waiting_pods")); diff != "" {
		t.Errorf("pods that wait (-want +got)\n%s", diff)
	}
}

// TestMetricsTwice proves that metrics which nobody would see are an error.
func TestMetricsTwice(t *testing.T) {
	_, registry := registered(t)
	if _, err := NewMetrics(registry, &clusterstate.InjectedPods{}); err == nil || !strings.HasPrefix(err.Error(), "register metrics: ") {
		t.Errorf("got error %v", err)
	}
}
