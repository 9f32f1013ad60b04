package controllers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"kongdao.io/kongdao/test/cluster"
)

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

// checkLog returns an error for each data race, panic and unexpected error in the log of a process.
func checkLog(of cluster.Logger) error {
	expectedErrors.Lock()
	defer expectedErrors.Unlock()
	return cluster.CheckLog(of, expectedErrors.parts...)
}

// hasLogged returns a check that the running controller has logged an error with a text.
func hasLogged(part string) func(ctx context.Context) error {
	return func(context.Context) error {
		lines, err := cluster.ReadLog(controller)
		if err != nil {
			return err
		}
		for _, line := range slices.Backward(lines) {
			if strings.Contains(line.Error, part) {
				return nil
			}
			if line.Message == "starting" {
				break // the lines before are from an earlier process
			}
		}
		return fmt.Errorf("%q is not in the log", part)
	}
}

// labelValues are all values that the labels of the migration metrics can have. Each label must have few values.
var labelValues = map[string][]string{
	"step":   {"up", "finish"},
	"reason": {"DatabaseUnreachable", "MigrationCannotStart", "MigrationFailed", "MigrationHeld"},
	"phase":  {"Waiting", "Migrating", "Migrated", "Finishing", "Finished", "Held", "Failed"},
}

var migrationMetric = regexp.MustCompile(`^kongdao_(migration_|plugin_migrations|gated_pods)`)

// checkMetrics returns an error for each value of a label that is not in labelValues.
func checkMetrics(ctx context.Context) error {
	text, err := controller.Metrics(ctx)
	if err != nil {
		return err
	}
	return cluster.CheckMetricLabels(text, migrationMetric, labelValues)
}
