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
)

// values returns the values of a metric by its labels, such as "policy=a state=injected".
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

// newMetrics returns metrics in a new registry.
func newMetrics(t *testing.T) (*Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	metrics, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	return metrics, registry
}

type status = v1alpha1.PluginPolicyStatus

func policyOf(name string, mode v1alpha1.PolicyMode, status status) v1alpha1.PluginPolicy {
	return v1alpha1.PluginPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.PluginPolicySpec{Mode: mode}, Status: status,
	}
}

// TestMetricsShowLastStatuses proves that the metrics show the last statuses, and no policies on a replica that counts
// nothing.
func TestMetricsShowLastStatuses(t *testing.T) {
	metrics, registry := newMetrics(t)
	want := func(when string, want map[string]float64) {
		t.Helper()
		got := values(t, registry, "kongdao_policy_pods")
		for key, value := range values(t, registry, "kongdao_policy_denied_workloads") {
			got["denied "+key] = value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", when, diff)
		}
	}
	want("before the first count", map[string]float64{})
	metrics.setStatuses([]v1alpha1.PluginPolicy{
		policyOf("a", v1alpha1.Enforce, status{Pods: 7, Injected: 4, OptedOut: 1, Outdated: 2, Denied: 3}),
		policyOf("b", v1alpha1.Enforce, status{}),
	})
	want("two policies", map[string]float64{
		"policy=a state=injected": 4, "policy=a state=opted_out": 1, "policy=a state=outdated": 2, "denied policy=a": 3,
		"policy=b state=injected": 0, "policy=b state=opted_out": 0, "policy=b state=outdated": 0, "denied policy=b": 0,
	})
	metrics.setStatuses([]v1alpha1.PluginPolicy{policyOf("b", v1alpha1.Audit, status{Outdated: 1})})
	want("a is deleted, and b is audited: its pods need no restart", map[string]float64{
		"policy=b state=injected": 0, "policy=b state=opted_out": 0, "policy=b state=would_change": 1, "denied policy=b": 0,
	})
	metrics.setStatuses(nil)
	want("no policies", map[string]float64{})
}

// TestMetricsAreRegisteredOnce proves that a second registration is an error: its values would be lost.
func TestMetricsAreRegisteredOnce(t *testing.T) {
	_, registry := newMetrics(t)
	_, err := NewMetrics(registry)
	if err == nil || !strings.HasPrefix(err.Error(), "register the metrics of policies: ") {
		t.Errorf("the error is %v", err)
	}
}
