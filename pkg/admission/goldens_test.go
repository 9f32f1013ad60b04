package admission

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/test/goldens"
	"kongdao.io/kongdao/test/reviews"
)

// TestGoldens checks that the webhook gives the results of the core for every golden case, with a full cache and with
// an empty one.
func TestGoldens(t *testing.T) {
	cases := goldens.Cases(t, casesFolder)
	for name, clusterOf := range map[string]func(goldens.Case) *Cluster{
		"cached": func(c goldens.Case) *Cluster {
			cluster := cached(c.Sources...)
			// Before a denial, the handler reads the API server.
			cluster.Live = &fakeReader{configMaps: c.Sources}
			return cluster
		},
		"live": func(c goldens.Case) *Cluster {
			return uncached(&fakeReader{configMaps: c.Sources})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					h := newHarness(t, clusterOf(c))
					checkGolden(t, c, h.post(t, podReviewOf(t, c.Pod, c.Namespace)))
				})
			}
		})
	}
}

// checkGolden compares a response with the decision of the core and with the golden files.
func checkGolden(t *testing.T, c goldens.Case, got reply) {
	t.Helper()
	if got.status != http.StatusOK || got.response.UID != reviews.UID {
		t.Errorf("got status %d and uid %q: %s", got.status, got.response.UID, got.body)
	}
	decision := c.Admit(t)
	if c.Want.Denial != "" {
		if got.response.Allowed || got.response.Result.Code != http.StatusForbidden {
			t.Errorf("not denied: %s", got.body)
		}
		if diff := cmp.Diff(decision.Denials.Error(), got.message()); diff != "" {
			t.Errorf("the message differs from the core's (-core +webhook)\n%s", diff)
		}
		if diff := cmp.Diff(c.Want.Denial, goldens.Denied(decision.Denials).Denial); diff != "" {
			t.Errorf("the core's denial differs from the golden file (-want +got)\n%s", diff)
		}
		return
	}
	if !got.response.Allowed {
		t.Fatalf("denied: %s", got.message())
	}
	if diff := cmp.Diff(c.Want, goldens.Injected(t, patched(t, c.Pod, got.response.Patch),
		got.response.Warnings)); diff != "" {
		t.Errorf("this case checks: %s\n(-want +got)\n%s", c.Proves, diff)
	}
	if !slices.Equal(decision.Warnings, got.response.Warnings) {
		t.Errorf("got warnings %q, the core gives %q", got.response.Warnings, decision.Warnings)
	}
}

// patched returns an object with a patch applied.
func patched(t testing.TB, object, patch []byte) []byte {
	t.Helper()
	if len(patch) == 0 {
		return object
	}
	return goldens.Apply(t, object, json.RawMessage(patch))
}

// TestReinvocationChangesNothing checks that a pod is injected only once if the API server calls the webhook twice.
func TestReinvocationChangesNothing(t *testing.T) {
	c := goldenCase(t, chartCase)
	h := newHarness(t, cached(c.Sources...))
	first := h.post(t, podReviewOf(t, c.Pod, c.Namespace))
	if len(first.response.Patch) == 0 {
		t.Fatalf("not injected: %s", first.body)
	}
	again := h.post(t, podReviewOf(t, patched(t, c.Pod, first.response.Patch), c.Namespace))
	if !again.response.Allowed || len(again.response.Patch) > 0 {
		t.Errorf("injected again: %s", again.body)
	}
	if diff := cmp.Diff(first.response.AuditAnnotations, again.response.AuditAnnotations); diff != "" {
		t.Errorf("the audit annotations differ (-first +second)\n%s", diff)
	}
}
