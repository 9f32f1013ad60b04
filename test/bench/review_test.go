package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/fixtures"
)

// BenchmarkReview is what a whole admission of a chart's pod costs the process,
// HTTP and TLS included, against a controller-runtime webhook that allows
// everything undecoded: with 10 releases in the catalog, then with 10,000.
// Both webhooks have one core, and are asked in turn.
func BenchmarkReview(b *testing.B) {
	ctx := b.Context()
	namespace := newNamespace(ctx, b, "review")
	publish(ctx, b, namespace)
	review := capture(ctx, b, namespace)
	b.Logf("the review has %d bytes", len(review))
	b.ResetTimer()

	few := compare(ctx, b, review)
	few.report(b)
	defer fill(ctx, b, 10_000, 100)()
	many := compare(ctx, b, review)
	b.ReportMetric(many.ratio, "x-noop-10k-releases")
	b.ReportMetric(many.ratio/few.ratio, "x-10k-vs-10-releases")
}

// comparison is what some rounds came to: medians.
type comparison struct {
	// ratio is CPU a request of kongdao to that of the webhook that does nothing.
	ratio                     float64
	microseconds, allocations float64
}

func (c comparison) report(b *testing.B) {
	b.ReportMetric(c.ratio, "x-noop")
	b.ReportMetric(c.microseconds, "cpu-us/review")
	b.ReportMetric(c.allocations, "allocs/review")
	b.ReportMetric(0, "ns/op")
}

const (
	rounds   = 9
	requests = 2000 // CPU time is told in steps of 10 ms: a round takes some 500 ms
)

func compare(ctx context.Context, b *testing.B, review []byte) comparison {
	b.Helper()
	var ratios, costs, allocations []float64
	for round := range rounds + 1 {
		noop := spend(ctx, b, shared.noopMetrics, "https://"+shared.noopAddress+"/noop", review, nil)
		ours := spend(ctx, b, shared.webhook.MetricsAddress(), shared.webhook.URL("/mutate/pods"), review, []byte(`"patchType":"JSONPatch"`))
		if round == 0 {
			continue // connections, caches and heaps are warm from here on
		}
		ratios = append(ratios, ours.cpu.Seconds()/noop.cpu.Seconds())
		costs = append(costs, ours.cpu.Seconds())
		allocations = append(allocations, ours.allocations)
	}
	return comparison{
		ratio: median(ratios), microseconds: median(costs) * 1e6 / requests, allocations: median(allocations) / requests,
	}
}

// spend sends a round of reviews and yields what they cost the process.
func spend(ctx context.Context, b *testing.B, metrics, url string, review, expected []byte) usage {
	b.Helper()
	before, err := usageOf(ctx, metrics)
	if err != nil {
		b.Fatal(err)
	}
	for range requests {
		answer, err := shared.client.post(ctx, url, review)
		if err != nil {
			b.Fatal(err)
		}
		if !bytes.Contains(answer, []byte(`"allowed":true`)) || !bytes.Contains(answer, expected) {
			b.Fatalf("%s answered %s", url, answer)
		}
	}
	after, err := usageOf(ctx, metrics)
	if err != nil {
		b.Fatal(err)
	}
	return usage{cpu: after.cpu - before.cpu, allocations: after.allocations - before.allocations}
}

// capture yields the review that the API server sends for a chart's pod.
func capture(ctx context.Context, b *testing.B, namespace string) []byte {
	b.Helper()
	url := "https://" + shared.noopAddress + "/capture"
	configuration := noopConfiguration("capture", url, namespace)
	if err := shared.webhook.Admin.Create(ctx, configuration); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := shared.webhook.Admin.Delete(ctx, configuration); err != nil {
			b.Error(err)
		}
	}()
	// The webhook is asked in dry runs until the API server knows of it.
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := shared.webhook.Admin.Create(ctx, chartPod(b, namespace, fixtures.WithMountedPlugin), client.DryRunAll); err != nil {
			b.Fatal(err)
		}
		if review, err := os.ReadFile(shared.captured); err == nil {
			return review
		}
	}
	b.Fatal("the API server never called the webhook that captures reviews")
	return nil
}

// noopConfiguration registers a webhook for the pods of one namespace. Its name
// makes it the first to be called.
func noopConfiguration(name, url, namespace string) *admissionregistrationv1.MutatingWebhookConfiguration {
	none, fail, seconds := admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Fail, int32(5)
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "a-" + name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: name + ".bench.kongdao.io", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none,
			FailurePolicy: &fail, TimeoutSeconds: &seconds,
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: shared.plane.CA()},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		panic(fmt.Sprintf("the median of no values: %v", values))
	}
	return sorted[len(sorted)/2]
}
