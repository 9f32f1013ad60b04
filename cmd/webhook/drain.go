package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// After the signal to stop, the webhook still serves until no request arrives for quietTime, but for maxDrainTime at
// most. On a busy cluster, API servers may send requests for seconds after the pod left the Service. Meanwhile the
// webhook closes each connection after its answer. An API server keeps its connections open. If a connection closes
// while the API server sends a review, it gets EOF and does not try another replica.
const (
	quietTime    = 3 * time.Second
	maxDrainTime = 10 * time.Second
)

// drainer closes connections while the webhook drains.
type drainer struct {
	// quiet ends the drain. It is nil before the signal to stop.
	quiet atomic.Pointer[time.Timer]
}

// delay returns a context that ends some time after ctx. The webhook drains between the two.
func (d *drainer) delay(ctx context.Context) (context.Context, context.CancelFunc) {
	delayed, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		d.quiet.Store(time.AfterFunc(quietTime, cancel))
		time.AfterFunc(maxDrainTime, cancel)
	})
	return delayed, cancel
}

// wrap returns a handler that closes each connection after its answer while the webhook drains.
func (d *drainer) wrap(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if quiet := d.quiet.Load(); quiet != nil {
			quiet.Reset(quietTime)
			writer.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(writer, request)
	})
}
