package memorylimit

import (
	"runtime/debug"
	"testing"
)

// TestSet checks Go's limit for each environment.
func TestSet(t *testing.T) {
	const unset = -1 // debug.SetMemoryLimit only reads the limit
	initial := debug.SetMemoryLimit(unset)
	defer debug.SetMemoryLimit(initial)
	for name, test := range map[string]struct {
		environment map[string]string
		want        int64 // 0 for no change
		fails       bool
	}{
		"no limit":   {nil, 0, false},
		"256 MiB":    {map[string]string{Variable: "268435456"}, 241591860, false},
		"GOMEMLIMIT": {map[string]string{Variable: "268435456", "GOMEMLIMIT": "200MiB"}, 0, false},
		"quantity":   {map[string]string{Variable: "256Mi"}, 0, true},
		"zero":       {map[string]string{Variable: "0"}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(initial)
			got, err := Set(func(name string) string { return test.environment[name] })
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
			want := test.want
			if want == 0 {
				want = initial
			}
			if limit := debug.SetMemoryLimit(unset); limit != want {
				t.Errorf("Go's limit is %d, want %d", limit, want)
			}
		})
	}
}
