package bench

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// samples are the values of metrics, by name and labels.
type samples map[string]float64

// metrics reads the metrics of both processes. It adds up equal metrics.
func (s *scale) metrics(ctx context.Context, b *testing.B) samples {
	b.Helper()
	values := samples{}
	for _, process := range s.processes() {
		text, err := process.Metrics(ctx)
		if err != nil {
			b.Fatal(err)
		}
		values.add(text)
	}
	return values
}

// add adds metrics in the text format of Prometheus.
func (s samples) add(text string) {
	for line := range strings.Lines(text) {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64); err == nil {
			s[line[:at]] += value
		}
	}
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

// queueWait returns the 99th percentile of the wait in the queue of the controller where it is the longest.
func (s samples) queueWait() time.Duration {
	longest := 0.0
	for _, name := range []string{"library", "migrations"} {
		buckets := map[float64]float64{}
		for series, value := range s {
			_, bound, _ := strings.Cut(series, `le="`)
			bound, _, _ = strings.Cut(bound, `"`)
			if !strings.HasPrefix(series, "workqueue_queue_duration_seconds_bucket{") ||
				!strings.Contains(series, `name="`+name+`"`) {
				continue
			}
			if limit, err := strconv.ParseFloat(bound, 64); err == nil {
				buckets[limit] += value
			}
		}
		longest = max(longest, percentile99(buckets))
	}
	return time.Duration(longest * float64(time.Second))
}

// percentile99 interpolates the 99th percentile of a histogram. Its last bucket has no upper limit.
func percentile99(buckets map[float64]float64) float64 {
	wanted, lower, before := 0.99*buckets[math.Inf(1)], 0.0, 0.0
	for _, limit := range slices.Sorted(maps.Keys(buckets)) {
		switch count := buckets[limit]; {
		case count < wanted:
			lower, before = limit, count
		case math.IsInf(limit, 1) || count == before:
			return lower
		default:
			return lower + (limit-lower)*(wanted-before)/(count-before)
		}
	}
	return lower
}

// usage returns the CPU time that both processes have used.
func (s *scale) usage(b *testing.B) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, process := range s.processes() {
		used, err := readUsage(b.Context(), process.MetricsAddress())
		if err != nil {
			b.Fatal(err)
		}
		sum += used.cpu
	}
	return sum
}
