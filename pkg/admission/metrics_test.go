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

// TestMetrics checks that every result is counted and timed once, with the labels that dashboards and alerts use.
func TestMetrics(t *testing.T) {
	live := &fakeReader{}
	cluster := cached(configmaps.Source("kong", "a", "dao-test"))
	cluster.Live = live
	h := newHarness(t, cluster)
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
	h.post(t, podReviewOf(t, kongPod("other"), "kong"))
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

// TestDenialReasons checks that the golden cases cover all reasons, and that each is counted with the core's reason.
func TestDenialReasons(t *testing.T) {
	h := newHarness(t, nil)
	want := map[string]float64{}
	var covered []denial.Reason
	for _, c := range goldens.Cases(t, casesFolder) {
		decision := c.Admit(t)
		if len(decision.Denials) == 0 {
			continue
		}
		cluster := cached(c.Sources...)
		cluster.Live = &fakeReader{configMaps: c.Sources}
		h.pods.Cluster = cluster
		got := h.post(t, podReviewOf(t, c.Pod, c.Namespace))
		reason := decision.Denials.Reason()
		if audit := got.response.AuditAnnotations["denial"]; audit != string(reason) {
			t.Errorf("%s: the audit annotation is %q, want %q", c.Name, audit, reason)
		}
		want["endpoint=pods reason="+string(reason)+" result=denied"]++
		covered = append(covered, reason)
	}
	if diff := cmp.Diff(want, h.counts(t, countName)); diff != "" {
		t.Errorf("counted (-want +got)\n%s", diff)
	}
	for _, reason := range []denial.Reason{
		denial.MalformedAnnotation, denial.UnknownPlugin, denial.UnknownVersion, denial.PinnedReleaseMissing,
		denial.BrokenPlugin,
		denial.ConflictingSources, denial.NoKongContainer, denial.UnknownContainer, denial.BlockedMount,
	} {
		if !slices.Contains(covered, reason) {
			t.Errorf("no case has the reason %s", reason)
		}
	}
}

func TestNewMetricsReportsDuplicates(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := NewMetrics(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := NewMetrics(registry); err == nil || !strings.HasPrefix(err.Error(), "register metrics: ") {
		t.Errorf("got error %v", err)
	}
}
