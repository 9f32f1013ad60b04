package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// reply is a decoded response.
type reply struct {
	status   int
	response admissionv1.AdmissionResponse
	body     []byte
}

// serve sends a request to a handler, and checks and decodes the response.
func serve(t testing.TB, handler http.Handler, request *http.Request) reply {
	t.Helper()
	recorded := httptest.NewRecorder()
	handler.ServeHTTP(recorded, request)
	if got := recorded.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("the response has content type %q", got)
	}
	got := reply{status: recorded.Code, body: recorded.Body.Bytes()}
	if got.status == http.StatusOK {
		got.response = parse(t, got.body)
	} else {
		got.response.Result = parseFailure(t, got.body, got.status)
	}
	return got
}

// parseFailure decodes and checks a response without a decision. It is a Status. The API server shows its message.
func parseFailure(t testing.TB, body []byte, code int) *metav1.Status {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var status metav1.Status
	if err := decoder.Decode(&status); err != nil {
		t.Fatalf("the failure is not a Status: %v\n%s", err, body)
	}
	if status.APIVersion != "v1" || status.Kind != "Status" || status.Status != metav1.StatusFailure ||
		status.Message == "" ||
		int(status.Code) != code || status.Reason != metav1.StatusReasonInternalError {
		t.Errorf("the Status of the failure is incomplete: %s", body)
	}
	return &status
}

// parse decodes a response with a decision, and checks what every such response must have.
func parse(t testing.TB, body []byte) admissionv1.AdmissionResponse {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var review admissionv1.AdmissionReview
	if err := decoder.Decode(&review); err != nil {
		t.Fatalf("the response is not an AdmissionReview: %v\n%s", err, body)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Fatalf("data after the response: %s", body)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil ||
		review.Request != nil {
		t.Fatalf("the response is not a v1 AdmissionReview with a response: %s", body)
	}
	given := *review.Response
	if (len(given.Patch) > 0) != (given.PatchType != nil) {
		t.Errorf("the response has a patch without type, or a type without patch: %s", body)
	}
	if len(given.Patch) > 0 && !given.Allowed {
		t.Errorf("the denial has a patch: %s", body)
	}
	if !given.Allowed && (given.Result == nil || given.Result.Message == "" || given.Result.Code < 400) {
		t.Errorf("the denial has no message or no code: %s", body)
	}
	return given
}

// message returns the message of a denial, or "" if the object is allowed.
func (r reply) message() string {
	if r.response.Allowed || r.response.Result == nil {
		return ""
	}
	return r.response.Result.Message
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
