// Package wait is how tests wait for what others bring about: they ask until it
// is there, and never longer than they may.
package wait

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// between is the time between two questions.
const between = 20 * time.Millisecond

// Until asks until check is content, or ctx ends. Its error then says why, and
// what check said last.
func Until(ctx context.Context, check func(ctx context.Context) error) error {
	ticker := time.NewTicker(between)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // not the one that only says that the time is over
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		}
	}
}

// For asks until check is content. It ends the test when that takes longer than
// patience.
func For(t testing.TB, patience time.Duration, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	if err := Until(ctx, check); err != nil {
		t.Fatal(err)
	}
}
