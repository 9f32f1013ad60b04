package catalog_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/catalog"
)

// TestCompareVersions proves the order of versions, from the oldest to the newest.
func TestCompareVersions(t *testing.T) {
	for name, want := range map[string][]string{
		"numbers, not letters (case 23)": {"", "1.9.0", "1.10.0", "2.0.0", "10.0.0"},
		"semantic versions": {
			"1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
			"1.0.0-rc.1", "1.0.0", "1.0.1-rc.1", "1.0.1",
		},
		"other forms of the same number": {"1", "1.0", "1.0.0", "v1.0.0", "1.0.0.1", "V1.0.1"},
		"suffixes":                       {"1.0.0-2", "1.0.0", "1.0.0.a", "1.0.0_2", "1.0.0_10", "1.0.0rc1", "1.0.1"},
		"dates":                          {"2026-9", "2026-10", "2026", "20260101", "20261127"},
		"names":                          {"1.0.0", "9", "build7", "build10", "main", "vnext"},
		"large numbers":                  {"1.18446744073709551616.0", "1.184467440737095516160.0", "2"},
		"commits":                        {"0a1b2c", "7e9f", "a0b1c2"},
	} {
		t.Run(name, func(t *testing.T) {
			shuffled := slices.Clone(want)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { //nolint:gosec // G404: must be reproducible
				shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
			})
			slices.SortFunc(shuffled, catalog.CompareVersions)
			if diff := cmp.Diff(want, shuffled); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// FuzzCompareVersions proves that the order is total: it is the same from both sides, transitive, and 0 only for equal
// texts.
func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0.0", "1.0.0-rc.1", "1.0.0-rc_1")
	f.Add("v1", "1.0", "a")
	f.Add("", "-", "1.0.0.")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ba := catalog.CompareVersions(a, b), catalog.CompareVersions(b, a)
		if ab != -ba || (ab == 0) != (a == b) {
			t.Errorf("%q, %q: %d, and %d from the other side", a, b, ab, ba)
		}
		if ab < 0 && catalog.CompareVersions(b, c) < 0 && catalog.CompareVersions(a, c) >= 0 {
			t.Errorf("%q < %q < %q, but %q is not older than %q", a, b, c, a, c)
		}
	})
}
