package bench

import (
	"fmt"
	"os"
	"testing"
	"time"
)

const mebibyte = 1 << 20

// BenchmarkMemory is what a catalog of a gigabyte takes: the webhook's resident
// memory on an empty cluster, its highest while it reads 10,000 sources of 100
// KiB anew, and what remains; and how long it takes to be ready.
func BenchmarkMemory(b *testing.B) {
	const sources, size = 10_000, 100 << 10
	ctx := b.Context()
	restart(b)
	b.ReportMetric(memory(b, "VmRSS"), "MiB-empty")
	b.ReportMetric(memory(b, "VmHWM"), "MiB-empty-peak")
	b.ReportMetric(float64(restart(b).Milliseconds()), "ms-ready-empty")

	defer fill(ctx, b, sources, size)()
	took := restart(b)
	b.ReportMetric(memory(b, "VmHWM"), "MiB-full-peak")
	b.ReportMetric(memory(b, "VmRSS"), "MiB-full")
	b.ReportMetric(took.Seconds(), "s-ready-full")
	b.ReportMetric(0, "ns/op")
}

// restart starts the webhook anew, and yields how long it took until it was ready.
func restart(b *testing.B) time.Duration {
	b.Helper()
	if err := shared.webhook.Terminate(); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := shared.webhook.StartAndWait(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// memory is a figure of the webhook's process, in MiB.
func memory(b *testing.B, name string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", shared.webhook.PID()))
	if err != nil {
		b.Fatal(err)
	}
	figure, err := statusOf(string(status), name)
	if err != nil {
		b.Fatal(err)
	}
	return figure / mebibyte
}
