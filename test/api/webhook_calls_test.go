package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
)

// sentinels counts the sentinel pods.
var sentinels atomic.Int64

// calls returns the calls of the webhook for a namespace until now, from the webhook's log. It creates a sentinel pod
// in a dry run and waits until the log has it. Then the log also has all earlier calls.
func calls(t *testing.T, namespace string) []cluster.LogLine {
	t.Helper()
	sentinel := pod(namespace, fmt.Sprintf("sentinel-%d", sentinels.Add(1)), "")
	if err := webhook.Admin.Create(t.Context(), sentinel, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	var found []cluster.LogLine
	cluster.Eventually(t, func(context.Context) error {
		lines, err := cluster.ReadLog(webhook)
		if err != nil {
			return err
		}
		found = nil
		hasSentinel := false
		for _, line := range lines {
			switch {
			case line.Name == sentinel.Name:
				hasSentinel = true
			case line.Namespace == namespace && isAdmission(line) && !strings.HasPrefix(line.Name, "sentinel-"):
				found = append(found, line)
			}
		}
		if !hasSentinel {
			return errors.New("the log does not have the sentinel pod yet")
		}
		return nil
	})
	return found
}

// isAdmission reports whether a line is about an admission. Every admission has one line.
func isAdmission(line cluster.LogLine) bool { return strings.HasSuffix(line.Message, " admission") }

// wantCalls fails the test unless an action makes the API server call the webhook this number of times.
func wantCalls(t *testing.T, namespace string, want int, what string, action func()) {
	t.Helper()
	before := len(calls(t, namespace))
	action()
	if after := calls(t, namespace); len(after)-before != want {
		t.Errorf("%s: the webhook was called %d times, want %d: %+v", what, len(after)-before, want, after[before:])
	}
}
