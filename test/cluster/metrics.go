package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var metricLabel = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)

// CheckMetricLabels returns an error for each value of a label that is not allowed. It checks the samples whose name
// matches, and ignores the buckets of histograms. It is an error if no sample matches.
func CheckMetricLabels(metrics string, name *regexp.Regexp, allowed map[string][]string) error {
	var found []error
	samples := 0
	for sample := range strings.Lines(metrics) {
		if !name.MatchString(sample) {
			continue
		}
		samples++
		for _, label := range metricLabel.FindAllStringSubmatch(sample, -1) {
			if label[1] != "le" && !slices.Contains(allowed[label[1]], label[2]) {
				found = append(found, fmt.Errorf("the metric label %s has the unknown value %q", label[1], label[2]))
			}
		}
	}
	if samples == 0 {
		found = append(found, errors.New("there are no metrics of kongdao"))
	}
	return errors.Join(found...)
}
