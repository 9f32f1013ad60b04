package admission

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
)

// TestLongAnswer proves that what is asked for in bulk is answered in brief:
// the API server has to carry every answer.
func TestLongAnswer(t *testing.T) {
	pod := kongPod(strings.Repeat("a.b,", 16_000))
	got := newHarness(t, cached()).post(t, podReviewOf(t, pod, "kong"))
	if got.response.Allowed || len(got.body) > 64<<10 || !strings.HasSuffix(got.message(), " more") {
		t.Errorf("answered with %d bytes: %.500s", len(got.body), got.body)
	}
}

// TestSmallAllocations proves that an admission stays cheap: most of a pod is
// passed over and not kept.
func TestSmallAllocations(t *testing.T) {
	const allowed = 240 // 214 of ours; the race detector adds up to 18
	c := goldenCase(t, chartCase)
	body := chartReview(t, c)
	if len(body) < 21<<10 || len(body) > 25<<10 {
		t.Errorf("the review has %d bytes and not about 23,000", len(body))
	}
	handler := benchmarked(t, cached(c.Sources...))
	answer := func() { handler.ServeHTTP(&discarded{}, newRequest(body)) }
	request := testing.AllocsPerRun(100, func() { newRequest(body) })
	if got := testing.AllocsPerRun(100, answer) - request; got > allowed {
		t.Errorf("an admission of %d bytes makes %.0f allocations, more than %d", len(body), got, allowed)
	} else {
		t.Logf("an admission of %d bytes makes %.0f allocations", len(body), got)
	}
}

// TestDenialIsStatus proves that a denial is what kubectl prints: a Status
// with a reason and a code.
func TestDenialIsStatus(t *testing.T) {
	got := newHarness(t, cached()).post(t, []byte(review()))
	var raw struct{ Response admissionv1.AdmissionResponse }
	if err := json.Unmarshal(got.body, &raw); err != nil {
		t.Fatal(err)
	}
	if result := raw.Response.Result; result.Status != "Failure" || result.Reason != "Forbidden" || result.Code != http.StatusForbidden {
		t.Errorf("got %+v", result)
	}
	if denial := raw.Response.AuditAnnotations["denial"]; denial != "MalformedAnnotation" {
		t.Errorf("the audit log says %q", denial)
	}
}
