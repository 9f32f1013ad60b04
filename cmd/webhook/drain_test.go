package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestDrain checks that a draining webhook still answers, and that it closes connections.
func TestDrain(t *testing.T) {
	ctx, signal := context.WithCancel(t.Context())
	var draining drainer
	running, stop := draining.delay(ctx, 50*time.Millisecond)
	defer stop()
	handler := draining.wrap(http.HandlerFunc(func(writer http.ResponseWriter,
		_ *http.Request) {
		writer.WriteHeader(http.StatusTeapot)
	}))
	answer := func() *http.Response {
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
		return recorded.Result()
	}
	if got := answer(); got.StatusCode != http.StatusTeapot || got.Header.Get("Connection") != "" {
		t.Errorf("before the signal: %v", got)
	}
	signal()
	for deadline := time.Now().Add(10 * time.Second); answer().Header.Get("Connection") != "close"; {
		if time.Now().After(deadline) {
			t.Fatal("connections stay open")
		}
	}
	if got := answer(); got.StatusCode != http.StatusTeapot {
		t.Errorf("after the signal: %v", got)
	}
	<-running.Done()
}
