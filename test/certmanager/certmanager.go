// Package certmanager runs cert-manager's real controllers, as a process of
// their own, beside a control plane on this machine. They issue what SelfSigned
// and CA issuers, of a namespace or of the cluster, are asked for.
//
// hack/certmanager builds the program, and tells what of cert-manager is left
// out: its webhook above all, so that nothing wrong is denied and no default
// is set but those of the CRDs.
package certmanager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/process"
)

const (
	// Folder is the environment's variable that names the folder that
	// hack/certmanager/build.sh prints.
	Folder = "KONGDAO_CERT_MANAGER"

	program = "cert-manager"
	wayOut  = "run `make test`, or set " + Folder + " to what hack/certmanager/build.sh prints"

	// patience is how long anything is waited for. An idle machine needs a second.
	patience = 2 * time.Minute
)

// CRDs makes cert-manager's kinds known to the API server, those of folder, and
// returns when it serves them. Doing it again changes nothing.
func CRDs(ctx context.Context, admin client.Client, folder string) error {
	if err := check(folder); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "crds", "*.yaml"))
	if err != nil {
		return err
	}
	var applied []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(bytes.TrimPrefix(text, []byte("---\n")), &crd.Object); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(crd), client.FieldOwner(program), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
		applied = append(applied, crd)
	}
	for _, crd := range applied {
		err := poll(ctx, nil, func() error { return served(ctx, admin, crd) })
		if err != nil {
			return fmt.Errorf("wait for the CRD %s: %w", crd.GetName(), err)
		}
	}
	return nil
}

// served is nil when objects of a CRD can be had. Its condition Established is
// true a little earlier.
func served(ctx context.Context, admin client.Client, crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind + "List"})
	return admin.List(ctx, list, client.Limit(1))
}

// Running are controllers that run.
type Running struct {
	process *process.Process
	logFile string
}

// Start starts the controllers of folder, as the administrator of kubeconfig,
// with their log in dir, which must exist. It returns when they know what there is in the
// cluster, for which the CRDs must be there. It ends with Stop, and on Linux
// with this process.
func Start(ctx context.Context, kubeconfig, folder, dir string) (*Running, error) {
	if err := check(folder); err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, program+".ready")
	if err := os.Remove(ready); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier start
		return nil, err
	}
	r := &Running{logFile: filepath.Join(dir, program+".log")}
	var err error
	r.process, err = process.Start(filepath.Join(folder, program), []string{"--kubeconfig", kubeconfig, "--ready-file", ready}, r.logFile)
	if err != nil {
		return nil, err
	}
	err = poll(ctx, r.process, func() error {
		_, err := os.Stat(ready)
		return err
	})
	if err != nil {
		_ = r.Stop() // what went wrong is in err already, and would be told twice
		return nil, fmt.Errorf("wait until %s is ready: %w", program, err)
	}
	return r, nil
}

// LogFile is where the controllers write their log, errors above all.
func (r *Running) LogFile() string { return r.logFile }

// Done is closed when the controllers are gone.
func (r *Running) Done() <-chan struct{} { return r.process.Done() }

// Stop ends the controllers at once and waits until they are gone. It returns
// an error when they had ended before. What they have begun, another Start
// goes on with.
func (r *Running) Stop() error { return r.process.Stop() }

// Issued waits until a Certificate is ready and cert-manager is done with it.
// Its Secret is there before that: who deletes it in between gets the same
// certificate back, and no new one.
func (r *Running) Issued(ctx context.Context, admin client.Client, key client.ObjectKey) error {
	certificate := &unstructured.Unstructured{}
	certificate.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"})
	err := poll(ctx, r.process, func() error {
		if err := admin.Get(ctx, key, certificate); err != nil {
			return err
		}
		conditions, _, err := unstructured.NestedSlice(certificate.Object, "status", "conditions")
		if err != nil {
			return err
		}
		is := map[any]bool{}
		for _, each := range conditions {
			if condition, ok := each.(map[string]any); ok {
				is[condition["type"]] = condition["status"] == "True"
			}
		}
		if !is["Ready"] || is["Issuing"] {
			return fmt.Errorf("its conditions are %v", conditions)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for the Certificate %s: %w", key, err)
	}
	return nil
}

// poll asks until check is content, or the process, if any, that is to bring
// that about is gone.
func poll(ctx context.Context, by *process.Process, check func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	var gone <-chan struct{}
	if by != nil {
		gone = by.Done()
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-gone:
			return by.Ended()
		case <-ctx.Done():
			err = fmt.Errorf("%w: last asked: %w", context.Cause(ctx), err)
			if by != nil {
				err = fmt.Errorf("%w; its last lines:\n%s", err, by.LastLines())
			}
			return err
		}
	}
}

// check names what is missing in folder, with the way to have it.
func check(folder string) error {
	if folder == "" {
		return errors.New("no folder with cert-manager is named: " + wayOut)
	}
	for _, name := range []string{program, "crds"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("no %s: %w: %s", name, err, wayOut)
		}
	}
	return nil
}
