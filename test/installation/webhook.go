package installation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/process"
)

// readyTimeout limits how long StartAndWait waits.
const readyTimeout = time.Minute

// Webhook is a webhook process. It can be started and ended several times. It is not safe for concurrent use.
type Webhook struct {
	// Admin is a client of a cluster administrator.
	Admin client.WithWatch
	// Dir contains the serving certificate, in tls.crt and tls.key, and the log.
	Dir string

	program        string
	arguments      []string
	healthAddress  string
	metricsAddress string
	address        string
	running        *process.Process // nil if the process was not started or was ended
}

// NewWebhook prepares a webhook process without starting it. It writes a serving certificate to dir, which must exist,
// and chooses free ports. The process uses the kubeconfig.
func NewWebhook(
	plane *controlplane.ControlPlane, program, dir, kubeconfig string, flags ...string,
) (*Webhook, error) {
	admin, err := newAdmin(plane)
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(3)
	if err != nil {
		return nil, err
	}
	w := &Webhook{
		Admin: admin, Dir: dir, program: program,
		address: localAddress(ports[0]), metricsAddress: localAddress(ports[1]), healthAddress: localAddress(ports[2]),
	}
	w.arguments = append([]string{
		"--kubeconfig", kubeconfig, "--cert-dir", dir, "--host", loopback, "--port", strconv.Itoa(ports[0]),
		"--metrics-address", w.metricsAddress, "--health-address", w.healthAddress,
	}, flags...)
	return w, w.WriteCertificate(plane)
}

// Start starts the process. It is an error if the process runs.
func (w *Webhook) Start() error {
	if w.running != nil {
		return errors.New("the webhook is already running")
	}
	running, err := process.Start(w.program, w.arguments, w.LogFile())
	if err != nil {
		return err
	}
	w.running = running
	return nil
}

// StartAndWait starts the process and waits until it is ready.
func (w *Webhook) StartAndWait(ctx context.Context) error {
	if err := w.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := w.running.WaitUntil(ctx, w.Ready); err != nil {
		_ = w.Kill() // err already has the reason
		return err
	}
	return nil
}

// Kill kills the process, if it runs, and waits until it has ended.
func (w *Webhook) Kill() error {
	if w.running == nil {
		return nil
	}
	running := w.running
	w.running = nil
	return running.Kill()
}

// Terminate sends SIGTERM and waits until the process has ended. It returns nil if the exit status is 0.
func (w *Webhook) Terminate() error {
	running := w.running
	w.running = nil
	return running.Terminate()
}

// Done returns a channel that is closed when the running process has ended.
func (w *Webhook) Done() <-chan struct{} { return w.running.Done() }

// PID returns the ID of the running process.
func (w *Webhook) PID() int { return w.running.PID() }

// LogFile returns the path of the log. All processes of this webhook append to it.
func (w *Webhook) LogFile() string { return filepath.Join(w.Dir, "webhook.log") }

// Address returns the HOST:PORT of the webhook's HTTPS server.
func (w *Webhook) Address() string { return w.address }

// URL returns the URL of a path of the webhook's HTTPS server.
func (w *Webhook) URL(path string) string { return "https://" + w.address + path }

// MetricsAddress returns the HOST:PORT that serves /metrics.
func (w *Webhook) MetricsAddress() string { return w.metricsAddress }

// Metrics returns the metrics in the text format of Prometheus.
func (w *Webhook) Metrics(ctx context.Context) (string, error) {
	return get(ctx, "http://"+w.metricsAddress+"/metrics")
}

// Ready returns an error unless /readyz returns status 200. The error contains the response.
func (w *Webhook) Ready(ctx context.Context) error {
	_, err := get(ctx, "http://"+w.healthAddress+"/readyz")
	return err
}

// get returns the body of a response with status 200.
func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s returned %s: %s", url, response.Status, body)
	}
	return string(body), nil
}

const loopback = "127.0.0.1"

func localAddress(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// FreePorts returns different ports of the loopback address that are free now.
func FreePorts(count int) ([]int, error) {
	ports := make([]int, count)
	for i := range ports {
		listener, err := net.Listen("tcp4", localAddress(0))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // at the end, so that all ports differ
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
