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

	"kongdao.io/kongdao/test/process"
)

// readyTimeout limits how long StartAndWait waits.
const readyTimeout = time.Minute

// Program is a process of kongdao: the webhook or the controller. It can be started and ended several times. It is not
// safe for concurrent use.
type Program struct {
	// Dir contains the log and, for a webhook, the serving certificate in tls.crt and tls.key.
	Dir string

	name           string
	path           string
	arguments      []string
	healthAddress  string
	metricsAddress string
	// port is another free port.
	port    int
	running *process.Process // nil if the process was not started or was ended
}

// newProgram prepares a process without starting it. It chooses free ports for its probes, its metrics and its own use.
// The process uses the kubeconfig.
func newProgram(name, path, dir, kubeconfig string) (Program, error) {
	ports, err := FreePorts(3) // all at the same time, so that they differ
	if err != nil {
		return Program{}, err
	}
	p := Program{
		Dir: dir, name: name, path: path, metricsAddress: localAddress(ports[0]), healthAddress: localAddress(ports[1]),
		port: ports[2],
	}
	p.arguments = []string{
		"--kubeconfig", kubeconfig, "--metrics-address", p.metricsAddress, "--health-address", p.healthAddress,
	}
	return p, nil
}

// NewController prepares a controller without starting it. Its log is in dir, which must exist. Its Lease is in the
// namespace.
func NewController(path, dir, kubeconfig, namespace string, flags ...string) (*Program, error) {
	p, err := newProgram("controller", path, dir, kubeconfig)
	if err != nil {
		return nil, err
	}
	p.arguments = append(append(p.arguments, "--namespace", namespace), flags...)
	return &p, nil
}

// Start starts the process. It is an error if the process runs.
func (p *Program) Start() error {
	if p.running != nil {
		return fmt.Errorf("the %s is already running", p.name)
	}
	running, err := process.Start(p.path, p.arguments, p.LogFile())
	if err != nil {
		return err
	}
	p.running = running
	return nil
}

// StartAndWait starts the process and waits until it is ready.
func (p *Program) StartAndWait(ctx context.Context) error {
	if err := p.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := p.running.WaitUntil(ctx, p.Ready); err != nil {
		_ = p.Kill() // err already has the reason
		return err
	}
	return nil
}

// Kill kills the process, if it runs, and waits until it has ended.
func (p *Program) Kill() error {
	if p.running == nil {
		return nil
	}
	running := p.running
	p.running = nil
	return running.Kill()
}

// Terminate sends SIGTERM and waits until the process has ended. It returns nil if the exit status is 0.
func (p *Program) Terminate() error {
	running := p.running
	if running == nil {
		return errors.New("the " + p.name + " does not run")
	}
	p.running = nil
	return running.Terminate()
}

// Done returns a channel that is closed when the running process has ended.
func (p *Program) Done() <-chan struct{} { return p.running.Done() }

// PID returns the ID of the running process.
func (p *Program) PID() int { return p.running.PID() }

// LogFile returns the path of the log. All processes of this program append to it.
func (p *Program) LogFile() string { return filepath.Join(p.Dir, p.name+".log") }

// MetricsAddress returns the HOST:PORT that serves /metrics.
func (p *Program) MetricsAddress() string { return p.metricsAddress }

// Metrics returns the metrics in the text format of Prometheus.
func (p *Program) Metrics(ctx context.Context) (string, error) {
	return get(ctx, "http://"+p.metricsAddress+"/metrics")
}

// Ready returns an error unless /readyz returns status 200. The error contains the response.
func (p *Program) Ready(ctx context.Context) error {
	_, err := get(ctx, "http://"+p.healthAddress+"/readyz")
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
