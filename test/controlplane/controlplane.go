// Package controlplane starts a real Kubernetes control plane on the loopback address of this machine: etcd,
// kube-apiserver and kube-controller-manager.
//
// The package envtest of controller-runtime starts only the first two. The tests also need the controller manager,
// which creates pods of Deployments, Jobs and other workloads, and their service accounts. In addition, envtest's
// processes continue to run if a test is killed.
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

// Options configure a control plane. Only Assets is required.
type Options struct {
	// Assets is the directory with the programs etcd, kube-apiserver and kube-controller-manager.
	Assets string
	// Dir is where state, keys, kubeconfigs and logs are stored. It must be empty or not exist, and Stop keeps it. The
	// default is a temporary directory that Stop removes.
	Dir string
	// Log receives a line for each program that is ready. By default, nothing is written.
	Log io.Writer
	// AuditPolicy is a Policy of audit.k8s.io/v1 in YAML. It selects what AuditEntries returns. By default, there is no
	// audit log.
	AuditPolicy string
	// APIServerFlags, ControllerManagerFlags and EtcdFlags are flags by name, without dashes. They override the flags
	// of this package.
	APIServerFlags         map[string]string
	ControllerManagerFlags map[string]string
	EtcdFlags              map[string]string
}

// ControlPlane is a running control plane. It is safe for concurrent use.
type ControlPlane struct {
	options    Options
	dir        string
	keepDir    bool
	startTime  time.Time
	pki        *pki
	ports      ports
	admin      *rest.Config
	adminFile  string
	processes  []*process.Process // in the order of their start
	unregister func() bool        // unregisters shutDown from the context

	shutDownOnce sync.Once
	shutDownErr  error
}

// Start starts a control plane. When it returns, the API server is ready and accepts pods in the namespace default. The
// control plane runs until Stop is called, ctx ends or, on Linux, this process ends.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	if err := checkAssets(options.Assets); err != nil {
		return nil, err
	}
	plane := &ControlPlane{options: options, startTime: time.Now(), unregister: func() bool { return true }}
	if err := plane.createDir(); err != nil {
		return nil, err
	}
	startCtx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	if err := plane.start(startCtx); err != nil {
		_ = plane.shutDown() // err already has the reason
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	plane.unregister = context.AfterFunc(ctx, func() { _ = plane.shutDown() })
	return plane, nil
}

// Config returns the client configuration of a cluster administrator. The caller may change it.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// Kubeconfig returns the path of a kubeconfig of the same administrator.
func (c *ControlPlane) Kubeconfig() string { return c.adminFile }

// User returns the client configuration of a user, and the path of a kubeconfig. The user has the permissions that RBAC
// grants to its name and groups.
func (c *ControlPlane) User(name string, groups ...string) (*rest.Config, string, error) {
	config, err := c.pki.clientConfig(c.ports.apiServer.url("https"), name, groups)
	if err != nil {
		return nil, "", fmt.Errorf("create the user %q: %w", name, err)
	}
	path, err := writeKubeconfig(filepath.Join(c.dir, "users"), name, config)
	if err != nil {
		return nil, "", fmt.Errorf("create the user %q: %w", name, err)
	}
	return config, path, nil
}

// ServingCertificate returns a new certificate with its key, for a server on this machine. The API server accepts it if
// it trusts CA.
func (c *ControlPlane) ServingCertificate() (certPEM, keyPEM []byte, err error) {
	return c.pki.servingCertificate()
}

// CA returns the certificate of the CA that signs all certificates of the control plane, in PEM format.
func (c *ControlPlane) CA() []byte { return slices.Clone(c.pki.caPEM) }

// Stop kills the processes, waits until they have ended, and removes the state unless Options.Dir was set. It returns
// an error if a process had already ended. Further calls have no effect.
func (c *ControlPlane) Stop() error {
	c.unregister()
	return c.shutDown()
}

// shutDown does the work of Stop. The context calls it when it ends, possibly before unregister is set.
func (c *ControlPlane) shutDown() error {
	c.shutDownOnce.Do(func() {
		var errs []error
		for _, p := range slices.Backward(c.processes) {
			errs = append(errs, p.Kill())
		}
		c.ports.release()
		if !c.keepDir {
			errs = append(errs, os.RemoveAll(c.dir))
		}
		c.shutDownErr = errors.Join(errs...)
	})
	return c.shutDownErr
}
