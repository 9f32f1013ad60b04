package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/process"
)

func (s *stage) startNoop(ctx context.Context, dir string) error {
	program := filepath.Join(dir, "noop")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "kongdao.io/kongdao/test/bench/noop")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the webhook that does nothing: %w\n%s", err, output)
	}
	ports, err := installation.FreePorts(2)
	if err != nil {
		return err
	}
	s.noopAddress = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	s.noopMetrics = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1]))
	s.noop, err = process.Start(program, []string{
		"--cert-dir", dir, "--port", strconv.Itoa(ports[0]), "--metrics-address", s.noopMetrics, "--capture", s.captured,
	}, filepath.Join(dir, "noop.log"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = s.noop.WaitUntil(ctx, func(context.Context) error {
		connection, err := net.Dial("tcp", s.noopAddress)
		if err != nil {
			return err
		}
		return connection.Close()
	})
	if err != nil {
		_ = s.noop.Kill() // err already has the reason
	}
	return err
}

// http1 is a client that speaks HTTP/1.1 over one connection, as an API server
// does to a webhook's Service (W9).
type http1 struct{ client *http.Client }

func newHTTP1(ca []byte) (*http1, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the control plane's CA is no certificate")
	}
	return &http1{&http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
			MaxIdleConnsPerHost: 1,
		},
	}}, nil
}

// post sends a review and yields the answer.
func (c *http1) post(ctx context.Context, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 1 {
		return nil, fmt.Errorf("%s answered %s with %s: %s", url, response.Proto, response.Status, answer)
	}
	return answer, nil
}

// usage is what a process has used up until now.
type usage struct {
	cpu         time.Duration
	allocations float64
	rss         float64
}

// usageOf reads a Go process's own metrics.
func usageOf(ctx context.Context, address string) (usage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return usage{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return usage{}, err
	}
	defer response.Body.Close()
	values := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = number
		}
	}
	for _, needed := range []string{"process_cpu_seconds_total", "go_memstats_mallocs_total", "process_resident_memory_bytes"} {
		if _, ok := values[needed]; !ok {
			return usage{}, fmt.Errorf("%s tells no %s", address, needed)
		}
	}
	return usage{
		cpu:         time.Duration(values["process_cpu_seconds_total"] * float64(time.Second)),
		allocations: values["go_memstats_mallocs_total"],
		rss:         values["process_resident_memory_bytes"],
	}, nil
}
