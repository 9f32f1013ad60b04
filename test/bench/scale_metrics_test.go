package bench

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
)

// samples are the values of a process's metrics, by name and labels.
type samples map[string]float64

// metrics reads the metrics of the process.
func (s *scale) metrics(ctx context.Context, b *testing.B) samples {
	b.Helper()
	text, err := s.webhook.Metrics(ctx)
	if err != nil {
		b.Fatal(err)
	}
	values := samples{}
	for line := range strings.Lines(text) {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64); err == nil {
			values[line[:at]] = value
		}
	}
	return values
}

// since returns the differences to earlier samples.
func (s samples) since(earlier samples) samples {
	result := maps.Clone(s)
	for name := range result {
		result[name] -= earlier[name]
	}
	return result
}

// requests returns the number of requests to the API server.
func (s samples) requests() float64 {
	sum := 0.0
	for name, value := range s {
		if strings.HasPrefix(name, "rest_client_requests_total{") {
			sum += value
		}
	}
	return sum
}

// queueWait returns the mean wait in the queues of all controllers, and the number of entries.
func (s samples) queueWait() (wait time.Duration, entries float64) {
	seconds := 0.0
	for name, value := range s {
		switch {
		case strings.HasPrefix(name, "workqueue_queue_duration_seconds_sum{"):
			seconds += value
		case strings.HasPrefix(name, "workqueue_queue_duration_seconds_count{"):
			entries += value
		}
	}
	return time.Duration(seconds / max(entries, 1) * float64(time.Second)), entries
}

// usage returns the CPU time that the process has used.
func (s *scale) usage(b *testing.B) time.Duration {
	b.Helper()
	used, err := readUsage(b.Context(), s.webhook.MetricsAddress())
	if err != nil {
		b.Fatal(err)
	}
	return used.cpu
}
