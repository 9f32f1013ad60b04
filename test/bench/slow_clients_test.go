package bench

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"sync"
	"testing"
	"time"
)

// chartMemoryLimit is the memory limit in the chart, in MiB.
const chartMemoryLimit = 256

// BenchmarkSlowClients measures the maximum of the resident memory while clients send requests without their ends.
// First there are 40 large requests, then about as many small ones as there can be connections, then 200 large ones.
func BenchmarkSlowClients(b *testing.B) {
	restart(b)
	b.ReportMetric(memory(b, "VmRSS"), "MiB-before")
	start := time.Now()
	for _, attack := range []struct{ clients, size int }{{40, 7 << 20}, {1000, 31 << 10}, {200, 7 << 20}} {
		var clients sync.WaitGroup
		for range attack.clients {
			clients.Go(func() { sendWithoutEnd(shared.webhook.Address(), attack.size) })
		}
		clients.Wait()
	}
	peak := memory(b, "VmHWM")
	b.ReportMetric(time.Since(start).Seconds(), "s")
	b.ReportMetric(peak, "MiB-peak")
	b.ReportMetric(0, "ns/op")
	if peak > chartMemoryLimit {
		b.Errorf("slow clients need %.0f MiB, and the chart's limit is %d MiB", peak, chartMemoryLimit)
	}
}

// sendWithoutEnd sends a review without its last byte, and returns when the webhook closes the connection. It ignores
// errors: they mean that the webhook closed it earlier.
func sendWithoutEnd(address string, size int) {
	//nolint:gosec // a hostile client does not care whom it talks to
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = fmt.Fprintf(connection,
		"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
	for left := size - 1; err == nil && left > 0; {
		chunk := bytes.Repeat([]byte(" "), min(left, 64<<10))
		left -= len(chunk)
		_, err = connection.Write(chunk)
	}
	for buffer := make([]byte, 4096); err == nil; {
		_, err = connection.Read(buffer)
	}
}
