package events

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// fakeRecorder stores the last message.
type fakeRecorder struct{ message string }

func (r *fakeRecorder) Eventf(_, _ runtime.Object, _, _, _, format string, args ...any) {
	r.message = fmt.Sprintf(format, args...)
}

// TestLongMessagesAreTruncated proves that messages are cut at the limit in bytes, and between two characters.
func TestLongMessagesAreTruncated(t *testing.T) {
	for name, message := range map[string]string{
		"short":                        "dao-test",
		"at the limit":                 strings.Repeat("x", maxMessageBytes),
		"over the limit":               strings.Repeat("x", maxMessageBytes+1),
		"two-byte characters":          strings.Repeat("ü", maxMessageBytes),
		"two-byte characters, shifted": "x" + strings.Repeat("ü", maxMessageBytes),
		"four-byte characters":         "xx" + strings.Repeat("🦍", maxMessageBytes),
		"formatting verbs":             "%d %s %!",
	} {
		t.Run(name, func(t *testing.T) {
			recorder := &fakeRecorder{}
			NewRecorder(recorder).Warn(&corev1.Pod{}, "Reason", "Act", message)
			got := recorder.message
			if len(message) <= maxMessageBytes {
				if got != message {
					t.Errorf("recorded %q, want %q", got, message)
				}
				return
			}
			start, truncated := strings.CutSuffix(got, "...")
			if !truncated || !strings.HasPrefix(message, start) || !utf8.ValidString(got) {
				t.Errorf("recorded %q, want the start of the message", got)
			}
			if len(got) > maxMessageBytes || len(got) < maxMessageBytes-3 {
				t.Errorf("recorded %d bytes, want close to %d", len(got), maxMessageBytes)
			}
		})
	}
}
