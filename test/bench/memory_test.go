package bench

import (
	"testing"
	"time"
)

const mebibyte = 1 << 20

// BenchmarkMemory measures the memory and the start time of the webhook, first without sources and then with 10,000
// sources of 100 KiB each. For each it reports the resident memory and its maximum after a restart.
func BenchmarkMemory(b *testing.B) {
	const sources, size = 10_000, 100 << 10
	restart(b)
	b.ReportMetric(memory(b, "VmRSS"), "MiB-empty")
	b.ReportMetric(memory(b, "VmHWM"), "MiB-empty-peak")
	b.ReportMetric(float64(restart(b).Milliseconds()), "ms-ready-empty")

	defer fillCatalog(b, sources, size)()
	startTime := restart(b)
	b.ReportMetric(memory(b, "VmHWM"), "MiB-full-peak")
	b.ReportMetric(memory(b, "VmRSS"), "MiB-full")
	b.ReportMetric(startTime.Seconds(), "s-ready-full")
	b.ReportMetric(0, "ns/op")
}

// restart restarts the webhook and returns how long it took to become ready.
func restart(b *testing.B) time.Duration {
	b.Helper()
	if err := shared.webhook.Terminate(); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := shared.webhook.StartAndWait(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// memory returns a value of the webhook's memory usage in MiB.
func memory(b *testing.B, name string) float64 {
	b.Helper()
	bytes, err := readMemory(shared.webhook.PID(), name)
	if err != nil {
		b.Fatal(err)
	}
	return bytes / mebibyte
}
