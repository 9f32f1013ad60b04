package api

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// metricValues is every value that a label of ours may have. Whoever adds one
// adds it here, and sees that it is of a small set.
var metricValues = map[string][]string{
	"endpoint": {"pods", "workloads"},
	"result":   {"injected", "unchanged", "ignored", "denied", "malformed", "failed"},
	"reason": {
		"", "MalformedAnnotation", "UnknownPlugin", "UnknownVersion", "AmbiguousVersion", "BrokenPlugin",
		"ConflictingSources", "NoKongContainer", "UnknownContainer", "BlockedMount",
	},
}

var metricLabel = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)

// checkMetrics says which labels of ours have, after all tests, values that
// are not of the small sets.
func checkMetrics(ctx context.Context) error {
	text, err := webhook.Metrics(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	series := 0
	for sample := range strings.Lines(text) {
		if !strings.HasPrefix(sample, "kongdao_") {
			continue
		}
		series++
		for _, label := range metricLabel.FindAllStringSubmatch(sample, -1) {
			if allowed, known := metricValues[label[1]]; label[1] != "le" && (!known || !slices.Contains(allowed, label[2])) {
				wrong = append(wrong, fmt.Errorf("metrics: label %s has the value %q", label[1], label[2]))
			}
		}
	}
	if series == 0 {
		wrong = append(wrong, errors.New("metrics: there are none of ours"))
	}
	return errors.Join(wrong...)
}

// checkCounted says where the metrics do not count what the log tells of, one
// line an admission, on which the tests rely that count calls.
func checkCounted(ctx context.Context) error {
	var err error
	for range 100 { // a controller may be trying again at this moment
		if err = compareCounts(ctx); err == nil {
			return nil
		}
	}
	return err
}

func compareCounts(ctx context.Context) error {
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
	lines, err := readLog(webhook)
	if err != nil {
		return err
	}
	logged := 0
	for _, line := range lines {
		switch {
		case line.Message == "starting":
			logged = 0 // and so have the metrics
		case strings.HasSuffix(line.Message, " admission"):
			logged++
		}
	}
	if float64(logged) != counted {
		return fmt.Errorf("metrics: they count %v admissions, and the log has %d", counted, logged)
	}
	return nil
}
