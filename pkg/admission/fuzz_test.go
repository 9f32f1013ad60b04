package admission

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/test/goldens"
)

// fuzzed are the handlers over the sources of the core's cases.
func fuzzed(f *testing.F) *harness {
	sources := cached(goldens.ConfigMaps(f, casesFolder+"/sources.yaml")...)
	h := newHarness(f, sources)
	h.pods.Log, h.workloads.Log = benchmarked(f, sources).Log, benchmarked(f, sources).Log
	return h
}

// regular reports whether text is JSON as an API server writes it: one value,
// each name in an object once.
func regular(text []byte) bool {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	if decoder.SkipValue() != nil {
		return false
	}
	_, err := decoder.ReadToken()
	return errors.Is(err, io.EOF)
}

// applies proves that the API server can apply a patch: one that it cannot is
// a denial.
func applies(t *testing.T, object, patch []byte) {
	t.Helper()
	if regular(object) && len(patch) > 0 {
		goldens.Apply(t, object, json.RawMessage(patch))
	}
}

// FuzzPods proves that every body is answered with an AdmissionReview: with
// the UID that the body has, without a panic, with a patch that applies.
func FuzzPods(f *testing.F) {
	for _, c := range goldens.Cases(f, casesFolder) {
		f.Add(podReviewOf(f, c.Pod, c.Namespace))
	}
	f.Add([]byte(review()))
	f.Add([]byte(review(`"CREATE"`, `"UPDATE"`, `"object":{`, `"object":null,"oldObject":{`)))
	f.Add([]byte(review(`"env":[]`, `"env":[{"name":"KONG_PLUGINS","valueFrom":{"secretKeyRef":{"name":"x","key":"y"}}}]`)))
	h := fuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		recorded := httptest.NewRecorder()
		h.pods.ServeHTTP(recorded, newRequest(body))
		given := parse(t, recorded.Body.Bytes())
		if recorded.Code != http.StatusOK {
			t.Fatalf("failed: %s", recorded.Body)
		}
		if !regular(body) {
			return
		}
		var asked admissionv1.AdmissionReview
		if kjson.UnmarshalCaseSensitivePreserveInts(body, &asked) != nil || asked.Request == nil {
			return
		}
		if given.UID != asked.Request.UID && (given.Allowed || !strings.Contains(given.Result.Message, " at ")) {
			t.Errorf("answered uid %q instead of %q: %s", given.UID, asked.Request.UID, recorded.Body)
		}
		if asked.Request.Operation != admissionv1.Create && asked.Request.Operation != "" && len(given.Patch) > 0 {
			t.Errorf("patched at %s", asked.Request.Operation)
		}
		applies(t, asked.Request.Object.Raw, given.Patch)
	})
}

// FuzzWorkloads proves that no workload is ever denied, by us or by a patch
// that does not apply.
func FuzzWorkloads(f *testing.F) {
	for _, test := range workloadTests() {
		f.Add(toJSON(f, test.object), toJSON(f, test.old))
	}
	f.Add([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"a/b~"}},"spec":{"template":{"metadata":{"annotations":[]}}}}`), []byte(`[`))
	for _, c := range goldens.Cases(f, casesFolder) {
		f.Add([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"template":`+string(c.Pod)+`}}`), []byte(`{}`))
	}
	hook := &admission.Webhook{Handler: fuzzed(f).workloads}
	f.Fuzz(func(t *testing.T, object, old []byte) {
		given := hook.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			UID: "7-7-7", Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespace: goldens.Namespace,
			Object: runtime.RawExtension{Raw: object}, OldObject: runtime.RawExtension{Raw: old},
		}})
		if !given.Allowed || given.UID != "7-7-7" || (len(given.Patch) > 0) != (given.PatchType != nil) {
			t.Errorf("got %+v", given)
		}
		for _, warning := range given.Warnings {
			if strings.Contains(warning, "please report it") {
				t.Errorf("panicked: %s", warning)
			}
		}
		applies(t, object, given.Patch)
	})
}
