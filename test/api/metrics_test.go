package api

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"kongdao.io/kongdao/test/cluster"
)

// labelValues are all values that the labels of kongdao's metrics can have. Each label must have few values.
var labelValues = map[string][]string{
	"endpoint": {"pods", "workloads", "sources"},
	"result":   {"injected", "unchanged", "ignored", "warned", "denied", "malformed", "failed"},
	"reason": {
		"", "MalformedAnnotation", "UnknownPlugin", "UnknownVersion", "PinnedReleaseMissing", "BrokenPlugin",
		"ConflictingSources", "NoKongContainer", "UnknownContainer", "BlockedMount",
	},
}

var kongdaoMetric = regexp.MustCompile(`^kongdao_`)

// checkMetrics returns an error for each value of a label that is not in labelValues.
func checkMetrics(ctx context.Context) error {
	text, err := webhook.Metrics(ctx)
	if err != nil {
		return err
	}
	return cluster.CheckMetricLabels(text, kongdaoMetric, labelValues)
}

// checkAdmissionCount checks that the metrics count as many admissions as the log has lines. Tests that count the calls
// of the webhook rely on the log. It tries several times, because a controller may create a pod at the same time.
func checkAdmissionCount(ctx context.Context) error {
	var err error
	for range 100 {
		if err = compareAdmissionCounts(ctx); err == nil {
			return nil
		}
	}
	return err
}

func compareAdmissionCounts(ctx context.Context) error {
	text, err := webhook.Metrics(ctx)
	if err != nil {
		return err
	}
	var counted float64
	for sample := range strings.Lines(text) {
		if strings.HasPrefix(sample, "kongdao_admissions_total{") {
			value, err := strconv.ParseFloat(strings.TrimSpace(sample[strings.LastIndexByte(sample, ' '):]), 64)
			if err != nil {
				return err
			}
			counted += value
		}
	}
	lines, err := cluster.ReadLog(webhook)
	if err != nil {
		return err
	}
	logged := 0
	for _, line := range lines {
		switch {
		case line.Message == "starting":
			logged = 0 // the counters also start at 0
		case isAdmission(line):
			logged++
		}
	}
	if float64(logged) != counted {
		return fmt.Errorf("the metrics count %v admissions, but the log has %d", counted, logged)
	}
	return nil
}
