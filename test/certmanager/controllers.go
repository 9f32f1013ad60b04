// Package certmanager runs cert-manager's controllers as a process next to a control plane on this machine. They
// support issuers of the types SelfSigned and CA, in a namespace (Issuer) or in the cluster (ClusterIssuer).
//
// hack/certmanager builds the program. It leaves out cert-manager's webhook. So invalid objects are not denied, and the
// only defaults are those of the CRDs.
package certmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/process"
)

const (
	// AssetsVariable is the environment variable with the directory that hack/certmanager/build.sh prints.
	AssetsVariable = "KONGDAO_CERT_MANAGER"

	program  = "cert-manager"
	buildFix = "run `make test`, or set " + AssetsVariable + " to what hack/certmanager/build.sh prints"

	// timeout limits each wait. An idle machine needs a second.
	timeout = 2 * time.Minute
)

// Controllers is a running process with cert-manager's controllers.
type Controllers struct{ process *process.Process }

// Start starts the controllers with the kubeconfig of an administrator. The CRDs must be installed. The program is in
// the directory assets. The log is in dir, which must exist. Start returns when the controllers have read all objects.
// They run until Stop is called or, on Linux, this process ends.
func Start(ctx context.Context, kubeconfig, assets, dir string) (*Controllers, error) {
	if err := checkAssets(assets); err != nil {
		return nil, err
	}
	readyFile := filepath.Join(dir, program+".ready")
	// The file exists if the controllers were started before.
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	arguments := []string{"--kubeconfig", kubeconfig, "--ready-file", readyFile}
	logFile := filepath.Join(dir, program+".log")
	p, err := process.Start(filepath.Join(assets, program), arguments, logFile)
	if err != nil {
		return nil, err
	}
	c := &Controllers{p}
	err = c.waitUntil(ctx, func(context.Context) error {
		_, err := os.Stat(readyFile)
		return err
	})
	if err != nil {
		_ = c.Stop() // err already has the reason
		return nil, fmt.Errorf("wait until %s is ready: %w", program, err)
	}
	return c, nil
}

// Stop kills the process and waits until it has ended. It returns an error if the process had already ended. After
// another Start, the controllers continue their work.
func (c *Controllers) Stop() error { return c.process.Kill() }

// WaitUntilIssued waits until a Certificate is ready and cert-manager has finished issuing it. The Secret exists
// earlier. If the Secret is deleted before cert-manager has finished, cert-manager restores it and does not issue a new
// certificate.
func (c *Controllers) WaitUntilIssued(ctx context.Context, admin client.Client, key client.ObjectKey) error {
	certificate := &unstructured.Unstructured{}
	certificate.SetAPIVersion("cert-manager.io/v1")
	certificate.SetKind("Certificate")
	err := c.waitUntil(ctx, func(ctx context.Context) error {
		if err := admin.Get(ctx, key, certificate); err != nil {
			return err
		}
		conditions, _, err := unstructured.NestedSlice(certificate.Object, "status", "conditions")
		if err != nil {
			return err
		}
		isTrue := map[any]bool{} // by type
		for _, entry := range conditions {
			if condition, ok := entry.(map[string]any); ok {
				isTrue[condition["type"]] = condition["status"] == "True"
			}
		}
		if !isTrue["Ready"] || isTrue["Issuing"] {
			return fmt.Errorf("its conditions are %v", conditions)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for the Certificate %s: %w", key, err)
	}
	return nil
}

// waitUntil waits until check returns nil, as long as the process runs.
func (c *Controllers) waitUntil(ctx context.Context, check func(ctx context.Context) error) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	return c.process.WaitUntil(ctx, check)
}

func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("timeout after %s", timeout))
}

// checkAssets returns an error that names what is missing and says how to build it.
func checkAssets(dir string) error {
	if dir == "" {
		return errors.New("no directory with cert-manager: " + buildFix)
	}
	for _, name := range []string{program, crdDir} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("no %s: %w: %s", name, err, buildFix)
		}
	}
	return nil
}
