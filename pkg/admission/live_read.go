package admission

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/webhookserver"
)

// defaultTimeout is how long the API server waits for an answer if nothing else is known.
const defaultTimeout = 5 * time.Second

// withLiveReadDeadline returns a context that ends when an admission must stop to wait for the API server. The API
// server then gets an answer that says what failed.
func withLiveReadDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	now := time.Now()
	began, timeout, ok := webhookserver.Timeout(ctx)
	if !ok {
		began, timeout = now, defaultTimeout
	}
	// A request in progress is answered during a shutdown too, so its context may be cancelled already.
	return context.WithDeadline(context.WithoutCancel(ctx), liveReadDeadline(began, now, timeout))
}

// liveReadDeadline returns when a read that begins now must end: after 60 % of the time that the API server waits for
// the admission. If the request took long to arrive, the read gets more of the rest, but leaves 10 %.
func liveReadDeadline(began, now time.Time, timeout time.Duration) time.Time {
	deadline := began.Add(timeout * 6 / 10)
	if late := now.Add(timeout * 2 / 10); late.After(deadline) {
		deadline = late
	}
	if latest := began.Add(timeout * 9 / 10); deadline.After(latest) {
		return latest
	}
	return deadline
}

// LiveReader reads the API server for admissions. Each read ends before the API server stops to wait for the admission.
type LiveReader struct{ client.Reader }

// Get implements client.Reader.
func (r LiveReader) Get(
	ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption,
) error {
	ctx, cancel := withLiveReadDeadline(ctx)
	defer cancel()
	return r.Reader.Get(ctx, key, into, options...)
}

// List implements client.Reader.
func (r LiveReader) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	ctx, cancel := withLiveReadDeadline(ctx)
	defer cancel()
	return r.Reader.List(ctx, into, options...)
}
