package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"kongdao.io/kongdao/test/installation"
)

// line is what tests look at of a line of the webhook's log.
type line struct {
	Level   string `json:"level"`
	Message string `json:"msg"`
	Error   string `json:"error"`
}

// expected are parts of the errors that tests have brought about.
var expected struct {
	sync.Mutex
	parts []string
}

// expect has the log hold errors with these words.
func expectLogError(parts ...string) {
	expected.Lock()
	defer expected.Unlock()
	expected.parts = append(expected.parts, parts...)
}

// checkLog says what a webhook's log should not hold.
func checkLog(of *installation.Webhook) error {
	text, err := os.ReadFile(of.LogFile())
	if err != nil {
		return err
	}
	var wrong []error
	for _, never := range []string{"DATA RACE", "panic"} {
		if at := bytes.Index(text, []byte(never)); at >= 0 {
			wrong = append(wrong, fmt.Errorf("the webhook's log tells of a %s:\n%s", never, text[max(0, at-200):min(len(text), at+4000)]))
		}
	}
	for text := range bytes.Lines(text) {
		var read line
		if err := json.Unmarshal(text, &read); err != nil {
			continue // of a process that was killed while it wrote, or that does not come to log
		}
		known := slices.ContainsFunc(expected.parts, func(part string) bool { return strings.Contains(read.Error, part) })
		if read.Level == "error" && !known {
			wrong = append(wrong, fmt.Errorf("the webhook's log has an error: %s", text))
		}
	}
	return errors.Join(wrong...)
}

// logged is content when the log of the webhook that runs now has an error with
// these words.
func hasLogged(words string) func(ctx context.Context) error {
	return func(context.Context) error {
		text, err := os.ReadFile(webhook.LogFile())
		if err != nil {
			return err
		}
		text = text[max(0, bytes.LastIndex(text, []byte(`"msg":"starting"`))):]
		for text := range bytes.Lines(text) {
			var read line
			if json.Unmarshal(text, &read) == nil && strings.Contains(read.Error, words) {
				return nil
			}
		}
		return fmt.Errorf("the log does not say: %s", words)
	}
}

// metricValues is every value that a label of the migrations' metrics may have.
// Whoever adds one adds it here, and sees that it is of a small set.
var metricValues = map[string][]string{
	"step":   {"up", "finish"},
	"reason": {"MigrationFailed", "MigrationHeld"},
	"phase":  {"Waiting", "Migrating", "Migrated", "Finishing", "Finished", "Held", "Failed"},
}

var (
	metricLabel = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
	ourMetrics  = regexp.MustCompile(`^kongdao_(migration_|plugin_migrations|gated_pods)`)
)

// checkMetrics says which labels of ours have, after all tests, values that are
// not of the small sets.
func checkMetrics(ctx context.Context) error {
	text, err := webhook.Metrics(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	series := 0
	for sample := range strings.Lines(text) {
		if !ourMetrics.MatchString(sample) {
			continue
		}
		series++
		for _, label := range metricLabel.FindAllStringSubmatch(sample, -1) {
			if !slices.Contains(metricValues[label[1]], label[2]) {
				wrong = append(wrong, fmt.Errorf("metrics: label %s has the value %q", label[1], label[2]))
			}
		}
	}
	if series == 0 {
		wrong = append(wrong, errors.New("metrics: there are none of ours"))
	}
	return errors.Join(wrong...)
}
