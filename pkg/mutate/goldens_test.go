package mutate_test

import (
	"flag"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

var update = flag.Bool("update", false, "write the results to the cases instead of comparing")

const casesFolder = "testdata"

func decode(t testing.TB, text []byte) mutate.Pod {
	t.Helper()
	pod, err := mutate.DecodePod(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return pod
}

// inject returns the decision about a case, and the JSON of the injected pod, nil if it is denied.
func inject(t testing.TB, c goldens.Case) (decision.Decision, []byte) {
	t.Helper()
	admitted := c.Admit(t)
	if len(admitted.Denials) > 0 {
		if len(admitted.Patch) > 0 || len(admitted.Warnings) > 0 {
			t.Errorf("a denied pod has patch %v and warnings %q", admitted.Patch, admitted.Warnings)
		}
		return admitted, nil
	}
	return admitted, goldens.Apply(t, c.Pod, admitted.Patch)
}

// checkUnchanged checks the decision about an injected pod.
func checkUnchanged(t testing.TB, again decision.Decision) {
	t.Helper()
	if len(again.Patch) > 0 || len(again.Denials) > 0 {
		t.Errorf("a second injection has patch %s and denials %v", marshal(t, again.Patch), again.Denials)
	}
}

// TestGoldens proves one rule of the injection with each case. The first line of the case states the rule.
func TestGoldens(t *testing.T) {
	for _, c := range goldens.Cases(t, casesFolder) {
		t.Run(c.Name, func(t *testing.T) {
			admitted, injected := inject(t, c)
			got := goldens.Denied(admitted.Denials)
			if injected != nil {
				got = goldens.Injected(t, injected, admitted.Warnings)
			}
			if *update {
				c.Update(t, got)
				return
			}
			if diff := cmp.Diff(c.Want, got); diff != "" {
				t.Errorf("%s: the result differs (-want +got); if it is right, run with -update\n%s", c.Proves, diff)
			}
			if !slices.IsSorted(admitted.Warnings) {
				t.Errorf("the warnings are not sorted: %q", admitted.Warnings)
			}
		})
	}
}
