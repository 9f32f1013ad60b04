package wait

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestUntil proves that it asks again, and that at the end it says what is
// missing rather than that the question was broken off.
func TestUntil(t *testing.T) {
	t.Parallel()
	asked := 0
	third := func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	if err := Until(t.Context(), third); err != nil || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}

	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("not within a moment"))
	defer cancel()
	asked = 0
	err := Until(ctx, func(ctx context.Context) error {
		if asked++; asked == 1 {
			return errors.New("no pod is ready")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "not within a moment: no pod is ready") {
		t.Errorf("got %v", err)
	}
}
