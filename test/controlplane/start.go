package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kongdao.io/kongdao/test/process"
)

// startTimeout limits Start. An idle machine needs a few seconds. A machine that compiles at the same time needs far
// more.
const startTimeout = 3 * time.Minute

// program is a program of the control plane.
type program struct {
	name  string
	flags flags
	// readyURL returns status 200 when the program is ready.
	readyURL string
}

// start creates keys and users, then starts the programs one by one. On an error, shutDown ends those that run.
func (c *ControlPlane) start(ctx context.Context) error {
	var err error
	if c.pki, err = newPKI(filepath.Join(c.dir, "pki")); err != nil {
		return err
	}
	if c.ports, err = reservePorts(); err != nil {
		return err
	}
	if c.admin, c.adminFile, err = c.User("admin", "system:masters"); err != nil {
		return err
	}
	_, managerFile, err := c.User("system:kube-controller-manager")
	if err != nil {
		return err
	}
	if err := c.writeAuditPolicy(); err != nil {
		return err
	}
	client, err := newReadinessClient(c.admin)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for _, program := range c.programs(managerFile) {
		if err := c.startProgram(ctx, program, client); err != nil {
			return err
		}
	}
	return nil
}

// programs returns the programs in the order of their start.
func (c *ControlPlane) programs(managerKubeconfig string) []program {
	apiServer := c.ports.apiServer.url("https")
	return []program{
		{"etcd", c.etcdFlags(), c.ports.etcd.url("http") + "/health"},
		{"kube-apiserver", c.apiServerFlags(), apiServer + "/readyz"},
		// The API server rejects all pods until the controller manager has created this service account (fact P3).
		{
			"kube-controller-manager", c.controllerManagerFlags(managerKubeconfig),
			apiServer + "/api/v1/namespaces/default/serviceaccounts/default",
		},
	}
}

// startProgram starts a program and waits until it is ready.
func (c *ControlPlane) startProgram(ctx context.Context, program program, client *readinessClient) error {
	path, log := filepath.Join(c.options.Assets, program.name), filepath.Join(c.dir, program.name+".log")
	p, err := process.Start(path, program.flags.args(), log)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	err = p.WaitUntil(ctx, func(ctx context.Context) error { return client.check(ctx, program.readyURL) })
	if err != nil {
		return err
	}
	if c.options.Log != nil {
		fmt.Fprintf(c.options.Log, "%s ready after %.1fs\n", program.name, time.Since(c.startTime).Seconds())
	}
	return nil
}

// createDir creates the directory for the state.
func (c *ControlPlane) createDir() (err error) {
	if c.options.Dir == "" {
		c.dir, err = os.MkdirTemp("", "controlplane-")
		return err
	}
	c.keepDir = true
	if c.dir, err = filepath.Abs(c.options.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("the directory %s is not empty: choose another Options.Dir, or empty this one", c.dir)
	}
	return err
}

// checkAssets returns an error that names all missing programs and says how to build them.
func checkAssets(dir string) error {
	const fix = "run `make test`, or set KUBEBUILDER_ASSETS to what hack/kubernetes/build.sh prints"
	if dir == "" {
		return errors.New("no directory with the Kubernetes programs: " + fix)
	}
	var errs []error
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			errs = append(errs, fmt.Errorf("no %s: %w: %s", program, err, fix))
		}
	}
	return errors.Join(errs...)
}
