package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"kongdao.io/kongdao/test/installation"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// line is what tests look at of a line of the webhook's log.
type line struct {
	Level     string `json:"level"`
	Message   string `json:"msg"`
	Error     string `json:"error"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Result    string `json:"result"`
	DryRun    bool   `json:"dryRun"`
}

func readLog(of *installation.Webhook) ([]line, error) {
	text, err := os.ReadFile(of.LogFile())
	if err != nil {
		return nil, err
	}
	var lines []line
	for text := range bytes.Lines(text) {
		if !bytes.HasSuffix(text, []byte("\n")) {
			break // it is being written
		}
		var read line
		if err := json.Unmarshal(text, &read); err != nil {
			return nil, fmt.Errorf("the webhook's log has a line that is no JSON: %s", text)
		}
		lines = append(lines, read)
	}
	return lines, nil
}

// checkLog says what a webhook's log should not hold. expected are parts of the
// errors that a test brought about.
func checkLog(of *installation.Webhook, expected ...string) error {
	text, err := os.ReadFile(of.LogFile())
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte("DATA RACE")) {
		return fmt.Errorf("the webhook has a data race:\n%s", text)
	}
	lines, err := readLog(of)
	if err != nil {
		return err
	}
	var wrong []error
	for _, line := range lines {
		if line.Level == "error" && !containsAny(line.Error, expected) {
			wrong = append(wrong, fmt.Errorf("the webhook's log has an error: %+v", line))
		}
	}
	return errors.Join(wrong...)
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

var sentinels atomic.Int64

// calls yields what the webhook was asked in a namespace until now. So that
// nothing is still on its way to the log, it waits for a call of its own there.
func calls(t *testing.T, namespace string) []line {
	t.Helper()
	sentinel := pod(namespace, fmt.Sprintf("sentinel-%d", sentinels.Add(1)), "")
	if err := webhook.Admin.Create(t.Context(), sentinel, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	var found []line
	eventually(t, func(context.Context) error {
		lines, err := readLog(webhook)
		if err != nil {
			return err
		}
		found = nil
		seen := false
		for _, line := range lines {
			switch {
			case line.Name == sentinel.Name:
				seen = true
			case line.Namespace == namespace && strings.HasSuffix(line.Message, " admission") && !strings.HasPrefix(line.Name, "sentinel-"):
				found = append(found, line)
			}
		}
		if !seen {
			return errors.New("the log does not tell of the sentinel")
		}
		return nil
	})
	return found
}

// wantCalls fails the test when what was done made the API server call the
// webhook another number of times.
func wantCalls(t *testing.T, namespace string, want int, what string, done func()) {
	t.Helper()
	before := len(calls(t, namespace))
	done()
	if after := calls(t, namespace); len(after)-before != want {
		t.Errorf("%s: called %d times, want %d: %+v", what, len(after)-before, want, after[before:])
	}
}
