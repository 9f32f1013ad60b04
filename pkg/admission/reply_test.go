package admission

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
