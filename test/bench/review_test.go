package bench

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/wait"
)

// BenchmarkReview measures the CPU time of the admission of a chart's pod, including HTTP and TLS. It compares this
// with a controller-runtime webhook that allows each request without decoding the object. The first part has only the
// sources of the test plugin, the second part 10,000 more releases.
func BenchmarkReview(b *testing.B) {
	namespace := newNamespace(b, "review")
	createSources(b, namespace)
	review := captureReview(b, namespace)
	b.Logf("size of the review: %d bytes", len(review))
	b.ResetTimer()

	few := compareToNoop(b, review)
	few.report(b)
	defer fillCatalog(b, 10_000, 100)()
	many := compareToNoop(b, review)
	b.ReportMetric(many.ratio, "x-noop-10k-releases")
	b.ReportMetric(many.ratio/few.ratio, "x-10k-vs-10-releases")
}

// comparison has the medians of several rounds.
type comparison struct {
	// ratio is the CPU time of kongdao divided by that of the webhook that does nothing.
	ratio float64
	// cpuMicroseconds and allocations are those of one review in kongdao.
	cpuMicroseconds, allocations float64
}

func (c comparison) report(b *testing.B) {
	b.ReportMetric(c.ratio, "x-noop")
	b.ReportMetric(c.cpuMicroseconds, "cpu-us/review")
	b.ReportMetric(c.allocations, "allocs/review")
	b.ReportMetric(0, "ns/op")
}

const (
	reviewRounds = 9
	// reviewsPerRound makes a round use about 500 ms of CPU time, because the system measures it in steps of 10 ms.
	reviewsPerRound = 2000
)

// compareToNoop sends reviews to both webhooks in turns.
func compareToNoop(b *testing.B, review []byte) comparison {
	b.Helper()
	var ratios, cpuSeconds, allocations []float64
	for round := range reviewRounds + 1 {
		noop := sendReviews(b, shared.noop.metricsAddress, shared.noop.url("/noop"), review, nil)
		kongdao := sendReviews(b, shared.webhook.MetricsAddress(), shared.webhook.URL("/mutate/pods"), review,
			[]byte(`"patchType":"JSONPatch"`))
		if round == 0 {
			continue // to warm up connections, caches and heaps
		}
		ratios = append(ratios, kongdao.cpu.Seconds()/noop.cpu.Seconds())
		cpuSeconds = append(cpuSeconds, kongdao.cpu.Seconds())
		allocations = append(allocations, kongdao.allocations)
	}
	return comparison{
		ratio:           median(ratios),
		cpuMicroseconds: median(cpuSeconds) * 1e6 / reviewsPerRound,
		allocations:     median(allocations) / reviewsPerRound,
	}
}

// sendReviews sends a round of reviews and returns what the process has used for them. Each response must contain want.
func sendReviews(b *testing.B, metricsAddress, url string, review, want []byte) usage {
	b.Helper()
	before, err := readUsage(b.Context(), metricsAddress)
	if err != nil {
		b.Fatal(err)
	}
	for range reviewsPerRound {
		response, err := shared.client.post(b.Context(), url, review)
		if err != nil {
			b.Fatal(err)
		}
		if !bytes.Contains(response, []byte(`"allowed":true`)) || !bytes.Contains(response, want) {
			b.Fatalf("%s returned %s, want it to allow the pod with %q", url, response, want)
		}
	}
	after, err := readUsage(b.Context(), metricsAddress)
	if err != nil {
		b.Fatal(err)
	}
	return usage{cpu: after.cpu - before.cpu, allocations: after.allocations - before.allocations}
}

// captureReview returns the review that the API server sends for a chart's pod.
func captureReview(b *testing.B, namespace string) (review []byte) {
	b.Helper()
	defer createConfiguration(b, shared.noop.configuration("/capture", namespace))()
	// The API server notices the new webhook configuration some time later.
	wait.For(b, 30*time.Second, func(ctx context.Context) error {
		pod := chartPod(b, namespace, fixtures.WithMountedPlugin)
		if err := shared.webhook.Admin.Create(ctx, pod, client.DryRunAll); err != nil {
			return err
		}
		var err error
		if review, err = os.ReadFile(shared.noop.reviewFile); errors.Is(err, fs.ErrNotExist) {
			return errors.New("the API server has not called the webhook that captures reviews")
		}
		return err
	})
	return review
}
