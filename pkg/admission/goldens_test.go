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

// TestGoldens proves that the webhook answers what the core decides, on every
// case of the core: from its cache, and where its cache knows nothing yet.
func TestGoldens(t *testing.T) {
	cases := goldens.Cases(t, casesFolder)
	for name, sourcesOf := range map[string]func(*testing.T, goldens.Case) *Sources{
		"cached": func(t *testing.T, c goldens.Case) *Sources {
			sources := cached(c.Sources...)
			// A denial is always read anew: the cluster holds the same.
			sources.Live = &reader{configMaps: c.Sources}
			return sources
		},
		"live": func(_ *testing.T, c goldens.Case) *Sources {
			return uncached(&reader{configMaps: c.Sources})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					h := newHarness(t, sourcesOf(t, c))
					checkGolden(t, c, h.post(t, podReviewOf(t, c.Pod, c.Namespace)))
				})
			}
		})
	}
}

func checkGolden(t *testing.T, c goldens.Case, got reply) {
	t.Helper()
	if got.status != http.StatusOK || got.response.UID != reviews.UID {
		t.Errorf("answered with status %d and uid %q: %s", got.status, got.response.UID, got.body)
	}
	decision := c.Admit(t)
	if c.Want.Denial != "" {
		if got.response.Allowed || got.response.Result.Code != http.StatusForbidden {
			t.Errorf("not denied: %s", got.body)
		}
		if diff := cmp.Diff(decision.Denials.Error(), got.message()); diff != "" {
			t.Errorf("denied with another message than the core's (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(c.Want.Denial, goldens.Denied(decision.Denials).Denial); diff != "" {
			t.Errorf("the core denies otherwise than the case wants (-want +got)\n%s", diff)
		}
		return
	}
	if !got.response.Allowed {
		t.Fatalf("denied: %s", got.message())
	}
	if diff := cmp.Diff(c.Want, goldens.Injected(t, patched(t, c.Pod, got.response.Patch), got.response.Warnings)); diff != "" {
		t.Errorf("not what the case wants, which proves: %s\n(-want +got)\n%s", c.Proves, diff)
	}
	if !slices.Equal(decision.Warnings, got.response.Warnings) {
		t.Errorf("warns %q, and the core %q", got.response.Warnings, decision.Warnings)
	}
}

// patched is an object with an answer's patch applied, as the API server does.
func patched(t testing.TB, object, patch []byte) []byte {
	t.Helper()
	if len(patch) == 0 {
		return object
	}
	return goldens.Apply(t, object, json.RawMessage(patch))
}

// TestAnsweredTwice proves that a pod which another webhook sends around again
// (reinvocation) is injected once.
func TestAnsweredTwice(t *testing.T) {
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
