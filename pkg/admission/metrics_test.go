package admission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/test/configmaps"
	"kongdao.io/kongdao/test/goldens"
)

const (
	countName    = "kongdao_admissions_total"
	durationName = "kongdao_admission_duration_seconds"
)

// TestMetrics proves that each result is counted and timed once, under labels
// that dashboards and alerts are written for.
func TestMetrics(t *testing.T) {
	live := &reader{}
	sources := cached(configmaps.Source("kong", "a", "dao-test"))
	sources.Live = live
	h := newHarness(t, sources)
	injected := h.post(t, podReviewOf(t, kongPod("dao-test"), "kong"))
	h.post(t, podReviewOf(t, patched(t, kongPod("dao-test"), injected.response.Patch), "kong"))
	h.post(t, podReviewOf(t, kongPod(""), "kong"))
	h.post(t, podReviewOf(t, kongPod("unknown"), "kong"))
	h.post(t, []byte("{"))
	for _, object := range []string{
		`metadata: {annotations: {kongdao.io/plugins: dao-test}}, spec: {template: {` + spec + `}}`,
		`metadata: {annotations: {kongdao.io/plugins: unknown}}, spec: {template: {` + spec + `}}`,
		`spec: {template: {` + spec + `}}`,
	} {
		h.handle(t, workloadRequest(t, "Deployment", workloadTest{object: "{" + object + "}"}))
	}
	live.fail = func(context.Context) error { return errors.New("etcd is away") }
	h.post(t, podReviewOf(t, kongPod("unknown"), "kong"))
	counted := map[string]float64{
		"endpoint=pods reason= result=injected":                 1,
		"endpoint=pods reason= result=unchanged":                1,
		"endpoint=pods reason= result=ignored":                  1,
		"endpoint=pods reason=UnknownPlugin result=denied":      1,
		"endpoint=pods reason= result=malformed":                1,
		"endpoint=pods reason= result=failed":                   1,
		"endpoint=workloads reason= result=injected":            1,
		"endpoint=workloads reason=UnknownPlugin result=denied": 1,
		"endpoint=workloads reason= result=ignored":             1,
	}
	if diff := cmp.Diff(counted, h.counts(t, countName)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", countName, diff)
	}
	timed := map[string]float64{}
	for labels, n := range counted {
		fields := strings.Split(labels, " ")
		timed[fields[0]+" "+fields[2]] += n
	}
	if diff := cmp.Diff(timed, h.counts(t, durationName)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", durationName, diff)
	}
}

// TestReasons proves that each reason there is can be met and is counted as
// the core gives it; the core's cases meet them all.
func TestReasons(t *testing.T) {
	h := newHarness(t, nil)
	want := map[string]float64{}
	var met []denial.Reason
	for _, c := range goldens.Cases(t, casesFolder) {
		decision := c.Admit(t)
		if len(decision.Denials) == 0 {
			continue
		}
		sources := cached(c.Sources...)
		sources.Live = &reader{configMaps: c.Sources}
		h.pods.Sources = sources
		got := h.post(t, podReviewOf(t, c.Pod, c.Namespace))
		reason := decision.Denials.Reason()
		if audit := got.response.AuditAnnotations["denial"]; audit != string(reason) {
			t.Errorf("%s: the audit log says %q and not %q", c.Name, audit, reason)
		}
		want["endpoint=pods reason="+string(reason)+" result=denied"]++
		met = append(met, reason)
	}
	if diff := cmp.Diff(want, h.counts(t, countName)); diff != "" {
		t.Errorf("counted (-want +got)\n%s", diff)
	}
	for _, reason := range []denial.Reason{
		denial.MalformedAnnotation, denial.UnknownPlugin, denial.UnknownVersion, denial.AmbiguousVersion, denial.BrokenPlugin,
		denial.ConflictingSources, denial.NoKongContainer, denial.UnknownContainer, denial.BlockedMount,
	} {
		if !slices.Contains(met, reason) {
			t.Errorf("no case is denied for %s", reason)
		}
	}
}

// TestMetricsTwice proves that metrics which nobody would see are an error.
func TestMetricsTwice(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := NewMetrics(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := NewMetrics(registry); err == nil || !strings.HasPrefix(err.Error(), "register metrics: ") {
		t.Errorf("got error %v", err)
	}
}
