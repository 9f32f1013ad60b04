package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestDrain checks that a draining webhook still answers, that it closes connections, and when the drain ends.
func TestDrain(t *testing.T) {
	for name, test := range map[string]struct {
		// pause is the time between two requests.
		pause    time.Duration
		requests int
		want     time.Duration
		reason   string
	}{
		"no requests": {0, 0, quietTime, "an idle webhook stops soon"},
		"late requests": {quietTime - time.Second, 2, 2*(quietTime-time.Second) + quietTime,
			"an API server still calls this replica"},
		"busy": {time.Second, int(maxDrainTime / time.Second), maxDrainTime,
			"the kubelet kills the webhook after its grace period"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, signal := context.WithCancel(t.Context())
				var draining drainer
				running, stop := draining.delay(ctx)
				defer stop()
				handler := draining.wrap(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
					writer.WriteHeader(http.StatusTeapot)
				}))
				checkAnswer(t, handler, "")
				signal()
				synctest.Wait()
				start := time.Now()
				go func() {
					for range test.requests {
						time.Sleep(test.pause) // of the fake clock
						checkAnswer(t, handler, "close")
					}
				}()
				<-running.Done()
				if got := time.Since(start); got != test.want {
					t.Errorf("%s: the drain ends after %v; want %v", test.reason, got, test.want)
				}
			})
		})
	}
}

func checkAnswer(t *testing.T, handler http.Handler, wantConnection string) {
	t.Helper()
	recorded := httptest.NewRecorder()
	handler.ServeHTTP(recorded, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
	got := recorded.Result()
	if got.StatusCode != http.StatusTeapot || got.Header.Get("Connection") != wantConnection {
		t.Errorf("status %d, Connection %q; want %d, %q",
			got.StatusCode, got.Header.Get("Connection"), http.StatusTeapot, wantConnection)
	}
}
