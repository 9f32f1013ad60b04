package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/test/goldens"
	"kongdao.io/kongdao/test/reviews"
)

// casesFolder holds the cases of the core, which the webhook must decide alike.
const casesFolder = "../mutate/testdata"

// chartCase is the pod that Kong's chart makes: annotated, with a database.
const chartCase = "chart-traditional"

// goldenCase reads one of the core's cases.
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

// harness is the handlers, and all that they tell others.
type harness struct {
	pods      *Pods
	workloads *Workloads
	registry  *prometheus.Registry
	events    *recorder
	log       *logbook
}

func newHarness(t testing.TB, sources *Sources) *harness {
	t.Helper()
	h := &harness{registry: prometheus.NewRegistry(), events: &recorder{}, log: &logbook{}}
	metrics, err := NewMetrics(h.registry)
	if err != nil {
		t.Fatal(err)
	}
	h.pods = &Pods{Sources: sources, Metrics: metrics, Events: events.NewRecorder(h.events), Log: h.log.logger()}
	h.workloads = &Workloads{Sources: sources, Metrics: metrics, Log: h.log.logger()}
	return h
}

// post has the pods handler answer a body as the API server sends it.
func (h *harness) post(t testing.TB, body []byte) reply {
	t.Helper()
	return serve(t, h.pods, newRequest(body))
}

func newRequest(body []byte) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/mutate/pods", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	return request
}

// reply is what came back, read as strictly as nobody else would.
type reply struct {
	status   int
	response admissionv1.AdmissionResponse
	body     []byte
}

func serve(t testing.TB, handler http.Handler, request *http.Request) reply {
	t.Helper()
	recorded := httptest.NewRecorder()
	handler.ServeHTTP(recorded, request)
	if got := recorded.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("the answer is of content type %q", got)
	}
	got := reply{status: recorded.Code, body: recorded.Body.Bytes()}
	if got.status == http.StatusOK {
		got.response = parse(t, got.body)
	} else {
		got.response.Result = parseFailure(t, got.body, got.status)
	}
	return got
}

// parseFailure reads the answer where nothing was decided: a Status, of which
// the API server shows people the message.
func parseFailure(t testing.TB, body []byte, code int) *metav1.Status {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var status metav1.Status
	if err := decoder.Decode(&status); err != nil {
		t.Fatalf("the failure is no Status: %v\n%s", err, body)
	}
	if status.APIVersion != "v1" || status.Kind != "Status" || status.Status != metav1.StatusFailure || status.Message == "" ||
		int(status.Code) != code || status.Reason != metav1.StatusReasonInternalError {
		t.Errorf("the failure is no whole Status: %s", body)
	}
	return &status
}

// parse reads an answer, and holds it to what every answer must be.
func parse(t testing.TB, body []byte) admissionv1.AdmissionResponse {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var review admissionv1.AdmissionReview
	if err := decoder.Decode(&review); err != nil {
		t.Fatalf("the answer is no AdmissionReview: %v\n%s", err, body)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Fatalf("something follows the answer: %s", body)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil || review.Request != nil {
		t.Fatalf("the answer is no v1 AdmissionReview with a response: %s", body)
	}
	given := *review.Response
	if (len(given.Patch) > 0) != (given.PatchType != nil) {
		t.Errorf("a patch goes with its type: %s", body)
	}
	if len(given.Patch) > 0 && !given.Allowed {
		t.Errorf("a denial comes with a patch: %s", body)
	}
	if !given.Allowed && (given.Result == nil || given.Result.Message == "" || given.Result.Code < 400) {
		t.Errorf("a denial says why and with which code: %s", body)
	}
	return given
}

// message is the denial's, "" for what was allowed.
func (r reply) message() string {
	if r.response.Allowed || r.response.Result == nil {
		return ""
	}
	return r.response.Result.Message
}

// podReviewOf is the review of a pod's creation.
func podReviewOf(t testing.TB, pod []byte, namespace string, edits ...func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	body, err := reviews.OfPod(pod, namespace, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// cached returns Sources whose cache holds the ConfigMaps, in front of an API server that has none.
func cached(configMaps ...*corev1.ConfigMap) *Sources {
	return &Sources{Sources: clusterstate.StaticSources(configMaps...), Live: &reader{}}
}

// uncached returns Sources with an empty cache in front of an API server.
func uncached(live client.Reader) *Sources {
	return &Sources{Sources: clusterstate.StaticSources(), Live: live}
}

// reader is a cluster that is read without a cache. It answers all at once;
// TestLivePages reads page by page.
type reader struct {
	client.Reader
	configMaps []*corev1.ConfigMap
	// fail is asked before each read, where there is one.
	fail func(context.Context) error

	mutex sync.Mutex
	// lists are the options of each read so far.
	lists []client.ListOptions
}

func (r *reader) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	r.mutex.Lock()
	r.lists = append(r.lists, asked)
	r.mutex.Unlock()
	if r.fail != nil {
		if err := r.fail(ctx); err != nil {
			return err
		}
	}
	list := into.(*corev1.ConfigMapList)
	for _, configMap := range r.configMaps {
		if configMap.Namespace == asked.Namespace && asked.LabelSelector.Matches(labels.Set(configMap.Labels)) {
			list.Items = append(list.Items, *configMap.DeepCopy())
		}
	}
	return nil
}

// recorder keeps the Events that it is told.
type recorder struct {
	mutex  sync.Mutex
	events []event
}

type event struct {
	Regarding                  *corev1.ObjectReference
	Type, Reason, Action, Note string
}

func (r *recorder) Eventf(regarding, _ runtime.Object, eventType, reason, action, note string, args ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if note != "%s" || len(args) != 1 {
		panic("an Event's message is somebody else's text and must not be a format")
	}
	r.events = append(r.events, event{regarding.(*corev1.ObjectReference), eventType, reason, action, args[0].(string)})
}

// logbook keeps log lines, each with its values by name.
type logbook struct {
	mutex sync.Mutex
	lines []line
}

type line map[string]any

func (l *logbook) logger() logr.Logger {
	return funcr.NewJSON(func(text string) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		read := line{"": text}
		if err := json.Unmarshal([]byte(text), &read); err != nil {
			panic(err)
		}
		l.lines = append(l.lines, read)
	}, funcr.Options{})
}

// all is every line as text.
func (l *logbook) all() string {
	var text strings.Builder
	for _, line := range l.lines {
		text.WriteString(line[""].(string) + "\n")
	}
	return text.String()
}

// counts reads a counter by its labels' values, joined with spaces.
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
