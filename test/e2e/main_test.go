//go:build e2e

// Package e2e proves on a real Kubernetes what an API server alone cannot: that
// kongdao is installed and removed, keeps itself going whatever is done to it,
// that kubelet mounts what it injects, and that containers see it.
//
// "make e2e" runs it, inside hack/cluster or against the cluster that
// E2E_KUBECONFIG names. Everything is done by Helm and kubectl, as users do it,
// and each test has a namespace of its own.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What hack/e2e.sh hands over.
var (
	kubeconfig = os.Getenv("E2E_KUBECONFIG")
	// image is the webhook's.
	image = os.Getenv("E2E_IMAGE")
	// restartAPIServer is a shell command that restarts the API server, and
	// auditLog the file of its audit log. Not every cluster lets us.
	restartAPIServer = os.Getenv("E2E_RESTART_API_SERVER")
	auditLog         = os.Getenv("E2E_AUDIT_LOG")
)

// admin may do everything.
var admin client.Client

// home is where kubectl keeps what it remembers of the API server.
var home string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v: run these tests with 'make e2e'\n", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if err := ready(); err != nil {
		return 0, err
	}
	ctrl.SetLogger(logr.Discard()) // the clients' own talk is none of the tests'
	if home, err = os.MkdirTemp("", "kongdao-e2e-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(home)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 0, err
	}
	config.QPS = -1
	if admin, err = client.New(config, client.Options{}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func ready() error {
	if kubeconfig == "" || image == "" {
		return fmt.Errorf("E2E_KUBECONFIG and E2E_IMAGE are not set")
	}
	for _, program := range []string{"helm", "kubectl", "kubectl-kongdao"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	return nil
}
