// Package wait polls a condition until it holds or a time limit is reached.
package wait

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// pollInterval is the time between two checks.
const pollInterval = 20 * time.Millisecond

// Until calls check until it returns nil or ctx ends. Then the error wraps the cause of the end and the last error of
// check.
func Until(ctx context.Context, check func(ctx context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // but not an error that only says that ctx has ended
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		}
	}
}

// For calls check until it returns nil. It fails the test after the timeout.
func For(t testing.TB, timeout time.Duration, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, fmt.Errorf("timeout after %v", timeout))
	defer cancel()
	if err := Until(ctx, check); err != nil {
		t.Fatal(err)
	}
}
