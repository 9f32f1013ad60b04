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

var update = flag.Bool("update", false, "write what the core decides now as what the cases want")

const casesFolder = "testdata"

func decode(t testing.TB, text []byte) mutate.Pod {
	t.Helper()
	pod, err := mutate.DecodePod(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return pod
}

// decide yields what the core makes of a case, and the injected pod's JSON,
// nil for a denial.
func decide(t testing.TB, c goldens.Case) (decision.Decision, []byte) {
	t.Helper()
	decision := c.Admit(t)
	if len(decision.Denials) > 0 {
		if len(decision.Patch) > 0 || len(decision.Warnings) > 0 {
			t.Errorf("a denial comes with a patch or warnings: %v %q", decision.Patch, decision.Warnings)
		}
		return decision, nil
	}
	return decision, goldens.Apply(t, c.Pod, decision.Patch)
}

// TestGoldens proves each rule of the injection on a pod written for it; the
// case's first line says which.
func TestGoldens(t *testing.T) {
	for _, c := range goldens.Cases(t, casesFolder) {
		t.Run(c.Name, func(t *testing.T) {
			decision, injected := decide(t, c)
			got := goldens.Denied(decision.Denials)
			if injected != nil {
				got = goldens.Injected(t, injected, decision.Warnings)
			}
			if *update {
				c.Update(t, got)
				return
			}
			if diff := cmp.Diff(c.Want, got); diff != "" {
				t.Errorf("not what the case wants, which proves: %s\n(-want +got; after a look, write it with -update)\n%s", c.Proves, diff)
			}
			if !slices.IsSorted(decision.Warnings) {
				t.Errorf("warnings are not sorted: %q", decision.Warnings)
			}
		})
	}
}
