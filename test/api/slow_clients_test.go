package api

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/reviews"
)

// TestSlowClients proves that clients that never end their requests hold little memory, and lose their connections at
// the deadline of an admission. Meanwhile the webhook answers others. Without limits, 40 of these clients took the
// webhook from 67 to 484 MB (fact W10).
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const clients, size = 40, 7 << 20
	const maxGrowth = 96 << 20
	slow := secondWebhook(t, webhookKubeconfig(t), []string{"read the AdmissionReview: "})
	if err := slow.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := heapSize(t, slow)
	config := tlsConfig(t)
	start := time.Now()
	ended := make(chan error, clients)
	for range clients {
		go func() { ended <- sendMostOfABody(slow.Address(), config, size) }()
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: webhookTimeout}
	body, err := reviews.OfPod([]byte(`{"spec":{"containers":[{"name":"web","image":"nginx"}]}}`), "default")
	if err != nil {
		t.Fatal(err)
	}
	for i := range clients {
		response, err := client.Post(slow.URL("/mutate/pods"), "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatalf("a client that is not slow gets no answer: %v", err)
		}
		_ = response.Body.Close()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("client %d: %v", i, err)
			}
		case <-time.After(3 * webhookTimeout):
			t.Fatalf("%d of %d connections are still open after %v", clients-i, clients, time.Since(start))
		}
	}
	growth := heapSize(t, slow) - before
	t.Logf("all connections closed after %v; heap: %d MiB before, %d MiB more at the peak",
		time.Since(start).Round(time.Millisecond), before>>20, growth>>20)
	if growth > maxGrowth {
		t.Errorf("the heap grew by %d MiB, want at most %d MiB", growth>>20, maxGrowth>>20)
	}
}

// sendMostOfABody sends a request without the end of its body. It returns when the server has closed the connection.
func sendMostOfABody(address string, config *tls.Config, size int) error {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer connection.Close()
	// An error of a write means that the server has closed the connection, or will not read the rest.
	_ = connection.SetWriteDeadline(time.Now().Add(2 * webhookTimeout))
	_, err = fmt.Fprintf(connection,
		"POST /mutate/pods HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
	for chunk := bytes.Repeat([]byte(" "), 64<<10); err == nil && size > len(chunk); size -= len(chunk) {
		_, err = connection.Write(chunk)
	}
	if err == nil {
		_, _ = connection.Write(bytes.Repeat([]byte(" "), size-1))
	}
	for buffer := make([]byte, 4096); ; {
		if _, err := connection.Read(buffer); err != nil {
			return nil // the server closed the connection
		}
	}
}

// heapSize returns the largest size that the heap of a webhook has had, in bytes. The resident memory says nothing
// here, because the race detector needs several times the memory of the program.
func heapSize(t *testing.T, of *installation.Webhook) int {
	t.Helper()
	metrics, err := of.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(metrics) {
		if text, found := strings.CutPrefix(line, "go_memstats_heap_sys_bytes "); found {
			size, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(size)
		}
	}
	t.Fatal("the webhook has no metric go_memstats_heap_sys_bytes")
	return 0
}
