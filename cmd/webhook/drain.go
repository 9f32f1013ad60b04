package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// drainTime is how long the webhook still serves after the signal to stop. Meanwhile it closes each connection after
// its answer. An API server keeps its connections open. If a connection closes while the API server sends a review, it
// gets EOF and does not try another replica.
const drainTime = 3 * time.Second

// drainer closes connections while the webhook drains.
type drainer struct{ draining atomic.Bool }

// delay returns a context that ends some time after ctx. The webhook drains between the two.
func (d *drainer) delay(ctx context.Context, period time.Duration) (context.Context, context.CancelFunc) {
	delayed, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		d.draining.Store(true)
		time.AfterFunc(period, cancel)
	})
	return delayed, cancel
}

// wrap returns a handler that closes each connection after its answer while the webhook drains.
func (d *drainer) wrap(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if d.draining.Load() {
			writer.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(writer, request)
	})
}
