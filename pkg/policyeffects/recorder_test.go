package policyeffects

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

func newRecorder(t *testing.T) (*Recorder, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	recorder, err := NewRecorder(registry, "replica", nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return recorder, registry
}

// TestEffectsAreCounted proves that each effect of a policy is counted.
func TestEffectsAreCounted(t *testing.T) {
	recorder, registry := newRecorder(t)
	of := func(name string, kind policy.EffectKind) policy.Effect {
		return policy.Effect{Policy: name, Kind: kind}
	}
	for _, effects := range []policy.Effects{
		nil,
		{of("a", policy.Injected), of("b", policy.Injected), of("c", policy.OptedOut)},
		{of("a", policy.Injected), of("d", policy.WouldChange)},
		{of("b", policy.Denied), of("d", policy.WouldChange), of("e", policy.WouldDeny)},
	} {
		recorder.RecordEffects(effects, v1alpha1.WorkloadReference{})
	}
	want := map[string]float64{
		"injected a": 2, "injected b": 1, "denied b": 1, "opted_out c": 1, "would_change d": 2, "would_deny e": 1,
	}
	if diff := cmp.Diff(want, counted(t, registry)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestMetricIsRegisteredOnce proves that a second registration is an error: its counts would be lost.
func TestMetricIsRegisteredOnce(t *testing.T) {
	_, registry := newRecorder(t)
	_, err := NewRecorder(registry, "replica", nil, time.Now)
	if err == nil || !strings.HasPrefix(err.Error(), "register the metric of policies' effects: ") {
		t.Errorf("the error is %v", err)
	}
}

// counted returns the counts of the only metric in a registry, by effect and policy.
func counted(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%d metrics, want 1: %v", len(families), err)
	}
	counts := map[string]float64{}
	for _, metric := range families[0].GetMetric() {
		labels := metric.GetLabel() // sorted by name: effect, policy
		counts[labels[0].GetValue()+" "+labels[1].GetValue()] = metric.GetCounter().GetValue()
	}
	return counts
}
