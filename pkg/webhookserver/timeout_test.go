package webhookserver

import (
	"context"
	"testing"
	"time"
)

// TestClientTimeout checks how long a client waits, by the query of its request.
func TestClientTimeout(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"":                     5 * time.Second,
		"timeout=5s":           5 * time.Second,
		"timeout=2s":           2 * time.Second,
		"a=b&timeout=1500ms&c": 1500 * time.Millisecond,
		"timeout=30s":          5 * time.Second, // a hostile client
		"timeout=0s":           5 * time.Second,
		"timeout=-3s":          5 * time.Second,
		"timeout=soon":         5 * time.Second,
		"timeout=":             5 * time.Second,
		"mytimeout=1s":         5 * time.Second,
	} {
		if got := clientTimeout(query, 5*time.Second); got != want {
			t.Errorf("query %q: got %v, want %v", query, got, want)
		}
	}
	if allocations := testing.AllocsPerRun(10, func() { clientTimeout("timeout=5s", time.Minute) }); allocations != 0 {
		t.Errorf("%v allocations for each request, want 0", allocations)
	}
}

// TestTimeoutOfContext checks the timeout of a request, and of a context without one.
func TestTimeoutOfContext(t *testing.T) {
	if _, _, ok := Timeout(t.Context()); ok {
		t.Error("a context without a request has a timeout")
	}
	began := time.Now()
	ctx := context.WithValue(t.Context(), connectionKey{}, &connection{began: began, timeout: time.Second})
	if gotBegan, got, ok := Timeout(ctx); !ok || got != time.Second || !gotBegan.Equal(began) {
		t.Errorf("got %v, %v, %v", gotBegan, got, ok)
	}
}
