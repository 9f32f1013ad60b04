// Package installation puts kongdao's real webhook, as a process of its own,
// beside a control plane on this machine: its rights and its webhook
// configuration are those of deploy/kustomize/base, only that the API server is
// told an address on the loopback instead of a Service.
package installation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/process"
)

// Build builds one of the project's commands ("webhook") into a folder and
// returns the program's path. flags are go build's, as -race is.
func Build(ctx context.Context, command, folder string, flags ...string) (string, error) {
	program := filepath.Join(folder, command)
	arguments := append(append([]string{"build"}, flags...), "-o", program, "kongdao.io/kongdao/cmd/"+command)
	if output, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/%s: %w\n%s", command, err, output)
	}
	return program, nil
}

// Webhook is a running webhook that the control plane knows.
type Webhook struct {
	// Admin is a client with all rights.
	Admin client.WithWatch
	// Dir holds the serving certificate, in tls.crt and tls.key, and the log.
	Dir string

	program   string
	arguments []string
	health    string
	metrics   string
	address   string
	running   *process.Process
}

// Start installs kongdao into the control plane and starts the webhook's
// program, with further flags, as a user with the rights of rbac-plugins.yaml.
// It returns when the API server calls it. Dir must exist.
func Start(ctx context.Context, plane *controlplane.ControlPlane, program, dir string, flags ...string) (*Webhook, error) {
	kubeconfig, err := grant(ctx, plane)
	if err != nil {
		return nil, err
	}
	return start(ctx, plane, program, dir, kubeconfig, flags...)
}

func start(ctx context.Context, plane *controlplane.ControlPlane, program, dir, kubeconfig string, flags ...string) (*Webhook, error) {
	w, err := New(plane, program, dir, kubeconfig, flags...)
	if err != nil {
		return nil, err
	}
	if err := w.Run(ctx); err != nil {
		return nil, err
	}
	if err := w.register(ctx, plane); err != nil {
		return nil, errors.Join(err, w.Kill())
	}
	return w, nil
}

// New prepares a webhook that is not running and that no API server calls: with
// a serving certificate in dir, which must exist, and ports of its own. It
// comes to the control plane as the user of kubeconfig.
func New(plane *controlplane.ControlPlane, program, dir, kubeconfig string, flags ...string) (*Webhook, error) {
	admin, err := client.NewWithWatch(plane.Config(), client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	ports, err := FreePorts(3)
	if err != nil {
		return nil, err
	}
	w := &Webhook{
		Admin: admin, Dir: dir, program: program,
		address: address(ports[0]), metrics: address(ports[1]), health: address(ports[2]),
	}
	w.arguments = append([]string{
		"--kubeconfig", kubeconfig, "--cert-dir", dir, "--host", "127.0.0.1", "--port", strconv.Itoa(ports[0]),
		"--metrics-address", w.metrics, "--health-address", w.health,
	}, flags...)
	return w, w.WriteCertificate(plane)
}

// Run starts the program, again after Kill or Terminate, and returns when it is ready.
func (w *Webhook) Run(ctx context.Context) error {
	if err := w.Launch(); err != nil {
		return err
	}
	running := w.running
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := w.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-running.Done():
			w.running = nil
			return running.Ended()
		case <-ctx.Done():
			return fmt.Errorf("wait until the webhook is ready: %w; its last lines:\n%s", errors.Join(err, w.Kill()), running.LastLines())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Launch is Run that does not wait.
func (w *Webhook) Launch() error {
	if w.running != nil {
		return errors.New("the webhook runs already")
	}
	running, err := process.Start(w.program, w.arguments, w.LogFile())
	if err != nil {
		return err
	}
	w.running = running
	return nil
}

// Done is closed when the running process is gone.
func (w *Webhook) Done() <-chan struct{} { return w.running.Done() }

// LogFile is where all runs of the program write their log.
func (w *Webhook) LogFile() string { return filepath.Join(w.Dir, "webhook.log") }

// Pid is the running process's number.
func (w *Webhook) Pid() int { return w.running.Pid() }

// Address is where the webhook serves, as host:port.
func (w *Webhook) Address() string { return w.address }

// URL is where the webhook serves a path.
func (w *Webhook) URL(path string) string { return "https://" + w.address + path }

// MetricsAddress is where the webhook serves /metrics.
func (w *Webhook) MetricsAddress() string { return w.metrics }

// Metrics yields what the webhook tells Prometheus.
func (w *Webhook) Metrics(ctx context.Context) (string, error) {
	return w.get(ctx, w.metrics, "/metrics")
}

// Ready is nil when the webhook says that it is.
func (w *Webhook) Ready(ctx context.Context) error {
	_, err := w.get(ctx, w.health, "/readyz")
	return err
}

// Kill ends the process at once.
func (w *Webhook) Kill() error {
	if w.running == nil {
		return nil
	}
	running := w.running
	w.running = nil
	return running.Stop()
}

// Terminate asks the process to end and waits until it has.
func (w *Webhook) Terminate() error {
	running := w.running
	w.running = nil
	return running.Terminate()
}

func (w *Webhook) get(ctx context.Context, host, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, http.NoBody)
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
		return "", fmt.Errorf("%s answered %s: %s", path, response.Status, body)
	}
	return string(body), nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePorts finds ports of the loopback address that are free now.
func FreePorts(count int) ([]int, error) {
	ports := make([]int, count)
	for i := range ports {
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // all at once, so that they differ
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
