package admission

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
)

// TestResponseIsBounded checks that a huge annotation gets a small response, because the API server must process it.
func TestResponseIsBounded(t *testing.T) {
	pod := kongPod(strings.Repeat("a.b,", 16_000))
	got := newHarness(t, cached()).post(t, podReviewOf(t, pod, "kong"))
	if got.response.Allowed || len(got.body) > 64<<10 || !strings.HasSuffix(got.message(), " more") {
		t.Errorf("got a response of %d bytes: %.500s", len(got.body), got.body)
	}
}

// TestAdmissionAllocatesLittle checks that the handler skips most of a pod instead of decoding it.
func TestAdmissionAllocatesLittle(t *testing.T) {
	const allowed = 240 // 210 measured; the race detector adds up to 18
	c := goldenCase(t, chartCase)
	body := chartReview(t, c)
	if len(body) < 21<<10 || len(body) > 25<<10 {
		t.Errorf("the review has %d bytes, want about 23,000", len(body))
	}
	handler := quietPods(t, cached(c.Sources...))
	admit := func() { handler.ServeHTTP(&discardingWriter{}, newRequest(body)) }
	request := testing.AllocsPerRun(100, func() { newRequest(body) })
	if got := testing.AllocsPerRun(100, admit) - request; got > allowed {
		t.Errorf("an admission of %d bytes makes %.0f allocations, more than %d", len(body), got, allowed)
	} else {
		t.Logf("an admission of %d bytes makes %.0f allocations", len(body), got)
	}
}

// TestDenialHasStatus checks the parts of a denial that kubectl prints: a Status with a reason and a code.
func TestDenialHasStatus(t *testing.T) {
	got := newHarness(t, cached()).post(t, []byte(review()))
	var raw struct{ Response admissionv1.AdmissionResponse }
	if err := json.Unmarshal(got.body, &raw); err != nil {
		t.Fatal(err)
	}
	if result := raw.Response.Result; result.Status != "Failure" || result.Reason != "Forbidden" ||
		result.Code != http.StatusForbidden {
		t.Errorf("got %+v", result)
	}
	if denial := raw.Response.AuditAnnotations["denial"]; denial != "MalformedAnnotation" {
		t.Errorf("the audit annotation is %q", denial)
	}
}
