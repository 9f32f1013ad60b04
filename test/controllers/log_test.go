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

// logLine is a part of a line of the webhook's log.
type logLine struct {
	Level   string `json:"level"`
	Message string `json:"msg"`
	Error   string `json:"error"`
}

// expectedErrors are parts of the errors that tests cause.
var expectedErrors struct {
	sync.Mutex
	parts []string
}

// expectLogError allows errors with these texts in the log.
func expectLogError(parts ...string) {
	expectedErrors.Lock()
	defer expectedErrors.Unlock()
	expectedErrors.parts = append(expectedErrors.parts, parts...)
}

// checkLog returns what must not be in the log of a webhook: data races, panics and unexpected errors.
func checkLog(of *installation.Webhook) error {
	text, err := os.ReadFile(of.LogFile())
	if err != nil {
		return err
	}
	var errs []error
	for _, bug := range []string{"DATA RACE", "panic"} {
		if at := bytes.Index(text, []byte(bug)); at >= 0 {
			errs = append(errs, fmt.Errorf("the log has a %s:\n%s", bug, text[max(0, at-200):min(len(text), at+4000)]))
		}
	}
	for text := range bytes.Lines(text) {
		var read logLine
		if err := json.Unmarshal(text, &read); err != nil {
			continue // a process that was killed wrote only a part of the line
		}
		isExpected := slices.ContainsFunc(expectedErrors.parts, func(part string) bool {
			return strings.Contains(read.Error, part)
		})
		if read.Level == "error" && !isExpected {
			errs = append(errs, fmt.Errorf("the log has an error: %s", text))
		}
	}
	return errors.Join(errs...)
}

// hasLogged returns a check that the running webhook has logged an error with a text.
func hasLogged(part string) func(ctx context.Context) error {
	return func(context.Context) error {
		text, err := os.ReadFile(webhook.LogFile())
		if err != nil {
			return err
		}
		text = text[max(0, bytes.LastIndex(text, []byte(`"msg":"starting"`))):]
		for text := range bytes.Lines(text) {
			var read logLine
			if json.Unmarshal(text, &read) == nil && strings.Contains(read.Error, part) {
				return nil
			}
		}
		return fmt.Errorf("%q is not in the log", part)
	}
}

// labelValues are all values that the labels of the migration metrics can have. Each label must have few values.
var labelValues = map[string][]string{
	"step":   {"up", "finish"},
	"reason": {"MigrationFailed", "MigrationHeld"},
	"phase":  {"Waiting", "Migrating", "Migrated", "Finishing", "Finished", "Held", "Failed"},
}

var (
	metricLabels = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
	ourMetrics   = regexp.MustCompile(`^kongdao_(migration_|plugin_migrations|gated_pods)`)
)

// checkMetrics returns an error for each label value that is not in labelValues.
func checkMetrics(ctx context.Context) error {
	text, err := webhook.Metrics(ctx)
	if err != nil {
		return err
	}
	var errs []error
	series := 0
	for sample := range strings.Lines(text) {
		if !ourMetrics.MatchString(sample) {
			continue
		}
		series++
		for _, label := range metricLabels.FindAllStringSubmatch(sample, -1) {
			if !slices.Contains(labelValues[label[1]], label[2]) {
				errs = append(errs, fmt.Errorf("the metric label %s has the unknown value %q", label[1], label[2]))
			}
		}
	}
	if series == 0 {
		errs = append(errs, errors.New("there are no migration metrics"))
	}
	return errors.Join(errs...)
}
