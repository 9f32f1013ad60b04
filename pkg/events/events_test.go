package events

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// recorder keeps the last note.
type recorder struct{ note string }

func (r *recorder) Eventf(_, _ runtime.Object, _, _, _, note string, args ...any) {
	r.note = fmt.Sprintf(note, args...)
}

// TestLongEvents proves that a message which is too long is cut to what an API
// server takes, in bytes, and between characters.
func TestLongEvents(t *testing.T) {
	for name, message := range map[string]string{
		"short":              "dao-test",
		"at the limit":       strings.Repeat("x", longest),
		"over the limit":     strings.Repeat("x", longest+1),
		"whole characters":   strings.Repeat("ü", longest),
		"between characters": "x" + strings.Repeat("ü", longest),
		"four bytes each":    "xx" + strings.Repeat("🦍", longest),
		"%d":                 "%d %s %!",
	} {
		t.Run(name, func(t *testing.T) {
			told := &recorder{}
			(&Events{Recorder: told}).Warn(&corev1.Pod{}, "Reason", "Act", message)
			note := told.note
			if len(message) <= longest {
				if note != message {
					t.Errorf("changed to %q", note)
				}
				return
			}
			start, cut := strings.CutSuffix(note, "...")
			if !cut || !strings.HasPrefix(message, start) || !utf8.ValidString(note) || len(note) > longest || len(note) < longest-3 {
				t.Errorf("cut to %d bytes: %q", len(note), note)
			}
		})
	}
}
