package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestDrain proves that one which is told to stop answers on, and has clients
// come by another connection, until its time is over.
func TestDrain(t *testing.T) {
	ctx, tell := context.WithCancel(t.Context())
	var drained drain
	running, stop := drained.after(ctx, 50*time.Millisecond)
	defer stop()
	handler := drained.handler(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusTeapot) }))
	answer := func() *http.Response {
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
		return recorded.Result()
	}
	if got := answer(); got.StatusCode != http.StatusTeapot || got.Header.Get("Connection") != "" {
		t.Errorf("before: %v", got)
	}
	tell()
	for deadline := time.Now().Add(10 * time.Second); answer().Header.Get("Connection") != "close"; {
		if time.Now().After(deadline) {
			t.Fatal("connections are kept")
		}
	}
	if got := answer(); got.StatusCode != http.StatusTeapot {
		t.Errorf("after: %v", got)
	}
	<-running.Done()
}
