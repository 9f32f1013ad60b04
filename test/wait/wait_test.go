package wait

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestUntilChecksUntilThereIsNoError(t *testing.T) {
	t.Parallel()
	checks := 0
	err := Until(t.Context(), func(context.Context) error {
		if checks++; checks < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || checks != 3 {
		t.Errorf("%d checks and error %v, want 3 checks without an error", checks, err)
	}
}

// TestUntilReturnsTheLastUsefulError proves that the error names what is missing, and not that the last check was
// interrupted.
func TestUntilReturnsTheLastUsefulError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("timeout of the test"))
	defer cancel()
	checks := 0
	err := Until(ctx, func(ctx context.Context) error {
		if checks++; checks == 1 {
			return errors.New("no pod is ready")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "timeout of the test: no pod is ready") {
		t.Errorf("error %v, want the timeout and the error of the first check", err)
	}
}
