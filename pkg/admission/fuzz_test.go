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
	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/test/goldens"
)

// fuzzHarness returns handlers that know the sources of the golden cases.
func fuzzHarness(f *testing.F) *harness {
	cluster := cached(goldens.ConfigMaps(f, casesFolder+"/sources.yaml")...)
	h := newHarness(f, cluster)
	h.pods.Log, h.workloads.Log = logr.Discard(), logr.Discard()
	return h
}

// isStrictJSON reports whether text is JSON as an API server writes it: one value, without duplicate names in an
// object.
func isStrictJSON(text []byte) bool {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	if decoder.SkipValue() != nil {
		return false
	}
	_, err := decoder.ReadToken()
	return errors.Is(err, io.EOF)
}

// checkPatchApplies checks that the API server can apply a patch. If it cannot, it denies the object.
func checkPatchApplies(t *testing.T, object, patch []byte) {
	t.Helper()
	if isStrictJSON(object) && len(patch) > 0 {
		goldens.Apply(t, object, json.RawMessage(patch))
	}
}

// FuzzPods checks that every body gets an AdmissionReview with the UID of the body, without a panic, and with a patch
// that can be applied.
func FuzzPods(f *testing.F) {
	for _, c := range goldens.Cases(f, casesFolder) {
		f.Add(podReviewOf(f, c.Pod, c.Namespace))
	}
	f.Add([]byte(review()))
	f.Add([]byte(review(`"CREATE"`, `"UPDATE"`, `"object":{`, `"object":null,"oldObject":{`)))
	f.Add([]byte(review(`"env":[]`,
		`"env":[{"name":"KONG_PLUGINS","valueFrom":{"secretKeyRef":{"name":"x","key":"y"}}}]`)))
	h := fuzzHarness(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		recorded := httptest.NewRecorder()
		h.pods.ServeHTTP(recorded, newRequest(body))
		response := parse(t, recorded.Body.Bytes())
		if recorded.Code != http.StatusOK {
			t.Fatalf("failed: %s", recorded.Body)
		}
		if !isStrictJSON(body) {
			return
		}
		var review admissionv1.AdmissionReview
		if kjson.UnmarshalCaseSensitivePreserveInts(body, &review) != nil || review.Request == nil {
			return
		}
		if response.UID != review.Request.UID && (response.Allowed || !strings.Contains(response.Result.Message, " at ")) {
			t.Errorf("got uid %q, want %q: %s", response.UID, review.Request.UID, recorded.Body)
		}
		if review.Request.Operation != admissionv1.Create && review.Request.Operation != "" && len(response.Patch) > 0 {
			t.Errorf("got a patch for operation %s", review.Request.Operation)
		}
		checkPatchApplies(t, review.Request.Object.Raw, response.Patch)
	})
}

// FuzzWorkloads checks that no workload is denied, neither by the handler nor by a patch that cannot be applied.
func FuzzWorkloads(f *testing.F) {
	for _, test := range workloadTests() {
		f.Add(toJSON(f, test.object), toJSON(f, test.old))
	}
	f.Add([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"a/b~"}},`+
		`"spec":{"template":{"metadata":{"annotations":[]}}}}`), []byte(`[`))
	for _, c := range goldens.Cases(f, casesFolder) {
		f.Add([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"template":`+string(c.Pod)+`}}`),
			[]byte(`{}`))
	}
	hook := &admission.Webhook{Handler: fuzzHarness(f).workloads.reviewer()}
	f.Fuzz(func(t *testing.T, object, old []byte) {
		response := hook.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			UID: "7-7-7", Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Namespace: goldens.Namespace,
			Object:    runtime.RawExtension{Raw: object}, OldObject: runtime.RawExtension{Raw: old},
		}})
		if !response.Allowed || response.UID != "7-7-7" || (len(response.Patch) > 0) != (response.PatchType != nil) {
			t.Errorf("got %+v", response)
		}
		for _, warning := range response.Warnings {
			if strings.Contains(warning, "internal error") {
				t.Errorf("panic: %s", warning)
			}
		}
		checkPatchApplies(t, object, response.Patch)
	})
}
