package webhookserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// testTimeout is the deadline of requests in these tests.
const testTimeout = 300 * time.Millisecond

// start starts a server that answers with the size of the body, or with status 503 if it is overloaded.
func start(t *testing.T, edits ...func(*Options)) (address string, config *tls.Config) {
	t.Helper()
	withCertificate := httptest.NewUnstartedServer(nil)
	withCertificate.StartTLS()
	t.Cleanup(withCertificate.Close)
	options := Options{
		TLS:            &tls.Config{Certificates: withCertificate.TLS.Certificates, MinVersion: tls.VersionTLS12},
		RequestTimeout: testTimeout, MaxConnections: 100, Log: logr.Discard(),
	}
	for _, edit := range edits {
		edit(&options)
	}
	server := New(options)
	server.Register("/", http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		size, err := io.Copy(io.Discard, request.Body)
		if errors.Is(err, ErrOverloaded) {
			writer.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(writer, size)
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, listener, options.TLS) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	client := withCertificate.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	return listener.Addr().String(), client
}

// request returns a request with a body of a size, without the last bytes of the body.
func request(size, missing int) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size,
		strings.Repeat(" ", size-missing))
}

// TestIncompleteRequestsEnd checks that the server closes the connections of clients that do not complete what they
// began.
func TestIncompleteRequestsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		withTLS bool
		text    string
	}{
		"no handshake":     {false, ""},
		"part of a hello":  {false, "\x16\x03\x01"},
		"no request":       {true, ""},
		"part of a header": {true, "POST / HTTP/1.1\r\nHost: x\r\n"},
		"no body":          {true, request(100, 100)},
		"part of a body":   {true, request(100, 1)},
		"large body":       {true, request(1<<20, 1)},
		"second request":   {true, request(100, 0) + request(100, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			address, config := start(t)
			var connection net.Conn
			var err error
			if test.withTLS {
				connection, err = tls.Dial("tcp", address, config)
			} else {
				connection, err = net.Dial("tcp", address)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if _, err := io.WriteString(connection, test.text); err != nil {
				t.Fatal(err)
			}
			if err := connection.SetReadDeadline(time.Now().Add(10 * testTimeout)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, connection); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}

// TestBudget checks that large bodies share a budget, and that small bodies do not need it.
func TestBudget(t *testing.T) {
	// The budget has the size of one body of the maximum size.
	address, config := start(t, func(o *Options) { o.RequestTimeout = 2 * time.Second })
	holder, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := io.WriteString(holder, request(maxBodyBytes, 1)); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	post := func(size int) string {
		response, err := client.Post("https://"+address, "application/json", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", response.StatusCode, body)
	}
	if got, want := post(UncountedBytes), fmt.Sprintf("200 %d", UncountedBytes); got != want {
		t.Errorf("a small body: got %q, want %q", got, want)
	}
	waiting := make(chan string)
	go func() { waiting <- post(UncountedBytes + 1) }()
	if _, err := io.WriteString(holder, " "); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(holder), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the holder of the budget gets %s", response.Status)
	}
	if got, want := <-waiting, fmt.Sprintf("200 %d", UncountedBytes+1); got != want {
		t.Errorf("a body that waited for the budget: got %q, want %q", got, want)
	}
}

// TestOverload checks the answer to a large body while the budget is used up.
func TestOverload(t *testing.T) {
	server := New(Options{RequestTimeout: testTimeout})
	if !server.budget.TryAcquire(maxBodyBytes) {
		t.Fatal("the budget is used up at the start")
	}
	body := &body{
		from: io.NopCloser(bytes.NewReader(make([]byte, 2*UncountedBytes))), connection: &connection{},
		budget: server.budget, size: 2 * UncountedBytes, deadline: time.Now(),
	}
	read, err := io.ReadAll(body)
	if len(read) != UncountedBytes || !errors.Is(err, ErrOverloaded) {
		t.Errorf("read %d bytes and got %v", len(read), err)
	}
	server.budget.Release(maxBodyBytes)
	body.deadline = time.Now().Add(time.Minute)
	if _, err := io.ReadAll(body); err != nil || body.reserved != body.size {
		t.Errorf("reserved %d with a free budget: %v", body.reserved, err)
	}
	body.release()
	if !server.budget.TryAcquire(maxBodyBytes) {
		t.Error("the body did not give its part of the budget back")
	}
}
