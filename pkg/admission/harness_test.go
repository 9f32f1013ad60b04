package admission

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/test/goldens"
	"kongdao.io/kongdao/test/reviews"
)

// casesFolder contains the golden cases of the core. The webhook must give the same results.
const casesFolder = "../mutate/testdata"

// chartCase is the case with a pod of Kong's chart, with the annotation and with a database.
const chartCase = "chart-traditional"

// goldenCase returns a golden case by its name.
func goldenCase(t testing.TB, name string) goldens.Case {
	t.Helper()
	for _, c := range goldens.Cases(t, casesFolder) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("%s has no case %q", casesFolder, name)
	return goldens.Case{}
}

// harness contains the handlers, and fakes that record what the handlers report.
type harness struct {
	cluster   *Cluster
	pods      *Pods
	workloads *Workloads
	registry  *prometheus.Registry
	events    *fakeEvents
	log       *fakeLog
}

func newHarness(t testing.TB, cluster *Cluster) *harness {
	t.Helper()
	h := &harness{cluster: cluster, registry: prometheus.NewRegistry(), events: &fakeEvents{}, log: &fakeLog{}}
	metrics, err := NewMetrics(h.registry)
	if err != nil {
		t.Fatal(err)
	}
	h.pods = &Pods{Cluster: cluster, Metrics: metrics, Events: events.NewRecorder(h.events), Log: h.log.logger()}
	h.workloads = &Workloads{Cluster: cluster, Metrics: metrics, Log: h.log.logger()}
	return h
}

// post sends a body to the handler for pods, as the API server does.
func (h *harness) post(t testing.TB, body []byte) reply {
	t.Helper()
	return serve(t, h.pods, newRequest(body))
}

func newRequest(body []byte) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/mutate/pods", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	return request
}

// podReviewOf returns the review of a new pod.
func podReviewOf(t testing.TB, pod []byte, namespace string, edits ...func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	body, err := reviews.OfPod(pod, namespace, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// cached returns a cluster whose cache holds the ConfigMaps. The API server has none.
func cached(configMaps ...*corev1.ConfigMap) *Cluster {
	return &Cluster{Sources: clusterstate.StaticSources(configMaps...), Live: &fakeReader{}}
}

// uncached returns a cluster with an empty cache.
func uncached(live client.Reader) *Cluster {
	return &Cluster{Sources: clusterstate.StaticSources(), Live: live}
}

// counts returns the values of a metric by its labels, for example "endpoint=pods result=denied".
func (h *harness) counts(t testing.TB, name string) map[string]float64 {
	t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			values := map[string]string{}
			for _, label := range metric.GetLabel() {
				values[label.GetName()] = label.GetValue()
			}
			var key []string
			for _, label := range slices.Sorted(maps.Keys(values)) {
				key = append(key, label+"="+values[label])
			}
			counted[strings.Join(key, " ")] = metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return counted
}

// kongPod returns a small pod that requests plugins.
func kongPod(plugins string) []byte {
	return fmt.Appendf(nil,
		`{"metadata":{"name":"kong","annotations":{%q:%q}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9"}]}}`,
		annotations.Plugins, plugins)
}
