// Package controlplane starts and stops a real Kubernetes control plane on this machine's loopback address: etcd,
// kube-apiserver and kube-controller-manager, each a process of its own on ports that were free.
//
// controller-runtime's envtest has the first two. This package is instead of it because a webhook is seen here through
// what creates pods in a real cluster (Deployments, Jobs and the rest, so the controller manager, so service accounts),
// and because envtest's processes outlive a test that is killed.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"kongdao.io/kongdao/test/process"
)

// startLimit is how long Start waits at most. An idle machine needs some seconds; one that compiles meanwhile, many more.
const startLimit = 3 * time.Minute

// Options are what Start may be told. Only Assets has no default.
type Options struct {
	// Assets is the folder with the programs etcd, kube-apiserver and kube-controller-manager.
	Assets string
	// Dir is where state, keys, kubeconfigs and the programs' logs are put. It must be empty or not there yet, and is the
	// caller's: Stop leaves it. By default it is a temporary folder that Stop removes.
	Dir string
	// Log is told, a line each, how far Start is. By default nobody is.
	Log io.Writer
	// AuditPolicy is an audit.k8s.io/v1 Policy in YAML: what Audit tells of. By default nothing is written down.
	AuditPolicy string
	// APIServerFlags, ControllerManagerFlags and EtcdFlags are flags by name, without dashes. They win over this package's.
	APIServerFlags         map[string]string
	ControllerManagerFlags map[string]string
	EtcdFlags              map[string]string
}

// ControlPlane is a running control plane. Its methods may be called from several goroutines.
type ControlPlane struct {
	options    Options
	dir        string
	keep       bool // dir is the caller's
	began      time.Time
	pki        *pki
	ports      ports
	admin      *rest.Config
	adminFile  string
	processes  []*process.Process // in the order of their start
	unregister func() bool

	endOnce sync.Once
	endErr  error
}

// Start starts a control plane and returns when it serves, and when pods can be made in the namespace default. It ends
// with Stop, with ctx, and on Linux with this process, however that ends.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	if err := checkAssets(options.Assets); err != nil {
		return nil, err
	}
	plane := &ControlPlane{options: options, began: time.Now(), unregister: func() bool { return true }}
	if err := plane.makeDir(); err != nil {
		return nil, err
	}
	startCtx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready within %s", startLimit))
	defer cancel()
	if err := plane.start(startCtx); err != nil {
		_ = plane.end() // what went wrong is in err already, and would be told twice
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	plane.unregister = context.AfterFunc(ctx, func() { _ = plane.end() })
	return plane, nil
}

// Config returns a way in as a cluster administrator. It is the caller's to change.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// Kubeconfig returns the path of a kubeconfig of the same administrator.
func (c *ControlPlane) Kubeconfig() string { return c.adminFile }

// User returns a way in as a user of this name and these groups, with a kubeconfig's path. What the user may do is for
// RBAC to say.
func (c *ControlPlane) User(name string, groups ...string) (*rest.Config, string, error) {
	config, err := c.pki.clientConfig(c.ports.apiServer.url("https"), name, groups)
	if err != nil {
		return nil, "", fmt.Errorf("making the user %q: %w", name, err)
	}
	path, err := writeKubeconfig(filepath.Join(c.dir, "users"), name, config)
	if err != nil {
		return nil, "", fmt.Errorf("making the user %q: %w", name, err)
	}
	return config, path, nil
}

// ServingCertificate returns a certificate and its key, by which a server on this machine is known to the API server
// when that is told to trust CA.
func (c *ControlPlane) ServingCertificate() (certPEM, keyPEM []byte, err error) {
	return c.pki.servingCertificate()
}

// CA returns the certificate of the authority behind every other one here.
func (c *ControlPlane) CA() []byte { return slices.Clone(c.pki.caPEM) }

// Stop ends the processes, waits until they are gone, and removes the state unless Options.Dir named a place for it. It
// returns an error when one of them had ended before. Calling it again does nothing more.
func (c *ControlPlane) Stop() error {
	c.unregister()
	return c.end()
}

// end is Stop, and what the end of the context runs, which must not look at unregister: that may not be set yet.
func (c *ControlPlane) end() error {
	c.endOnce.Do(func() {
		var errs []error
		for _, p := range slices.Backward(c.processes) {
			errs = append(errs, p.Stop())
		}
		c.ports.release()
		if !c.keep {
			errs = append(errs, os.RemoveAll(c.dir))
		}
		c.endErr = errors.Join(errs...)
	})
	return c.endErr
}

// start does what Start promises, step by step; whatever it had started when it fails is for Stop to end.
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
	asker, err := newAsker(c.admin)
	if err != nil {
		return err
	}
	defer asker.close()

	if err := c.writeAuditPolicy(); err != nil {
		return err
	}
	apiServer := c.ports.apiServer.url("https")
	for _, step := range []struct {
		program string
		flags   flags
		// served is where an answer of 200 says that the program is of use.
		served string
	}{
		{"etcd", c.etcdFlags(), c.ports.etcd.url("http") + "/health"},
		{"kube-apiserver", c.apiServerFlags(), apiServer + "/readyz"},
		// Without this service account the API server denies every pod (P3), and it is the controller manager's to make.
		{"kube-controller-manager", c.controllerManagerFlags(managerFile), apiServer + "/api/v1/namespaces/default/serviceaccounts/default"},
	} {
		p, err := process.Start(filepath.Join(c.options.Assets, step.program), step.flags.args(), filepath.Join(c.dir, step.program+".log"))
		if err != nil {
			return err
		}
		c.processes = append(c.processes, p)
		if err := asker.waitFor(ctx, step.served, p); err != nil {
			return err
		}
		c.say("%s ready after %.1fs", step.program, time.Since(c.began).Seconds())
	}
	return nil
}

func (c *ControlPlane) makeDir() (err error) {
	if c.options.Dir == "" {
		c.dir, err = os.MkdirTemp("", "controlplane-")
		return err
	}
	c.keep = true
	if c.dir, err = filepath.Abs(c.options.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("the control plane's folder %s is not empty: name another, or remove what is in it", c.dir)
	}
	return err
}

func (c *ControlPlane) say(format string, args ...any) {
	if c.options.Log != nil {
		fmt.Fprintf(c.options.Log, format+"\n", args...)
	}
}

// checkAssets names everything that is missing at once, with the way to have it.
func checkAssets(folder string) error {
	const wayOut = "run `make test`, or set KUBEBUILDER_ASSETS to what hack/kubernetes/build.sh prints"
	if folder == "" {
		return errors.New("no folder with Kubernetes' programs is named: " + wayOut)
	}
	var errs []error
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			errs = append(errs, fmt.Errorf("no %s: %w: %s", program, err, wayOut))
		}
	}
	return errors.Join(errs...)
}
