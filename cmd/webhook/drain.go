package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// drainTime is how long a webhook that is told to stop still serves, closing
// each connection behind its answer. An API server keeps its connections, and
// sends the next review over one that is closed at that moment: it sees EOF, and
// does not try another replica.
const drainTime = 3 * time.Second

// drain knows whether the webhook was told to stop.
type drain struct{ begun atomic.Bool }

// after yields a context that ends some time after ctx, in which what is served
// drains.
func (d *drain) after(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	later, stop := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		d.begun.Store(true)
		time.AfterFunc(wait, stop)
	})
	return later, stop
}

// handler has connections closed behind handler's answers once draining has begun.
func (d *drain) handler(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if d.begun.Load() {
			writer.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(writer, request)
	})
}
