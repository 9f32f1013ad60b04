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
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// What hack/e2e.sh hands over.
var (
	kubeconfig = os.Getenv("E2E_KUBECONFIG")
	// image is the webhook's.
	image = os.Getenv("E2E_IMAGE")
	// kongImage runs Kong, or what stands in for it (test/kong), postgresImage a database.
	kongImage     = os.Getenv("KONG_IMAGE")
	postgresImage = os.Getenv("E2E_POSTGRES_IMAGE")
	// restartAPIServer is a shell command that restarts the API server, and
	// auditLog the file of its audit log. Not every cluster lets us.
	restartAPIServer = os.Getenv("E2E_RESTART_API_SERVER")
	auditLog         = os.Getenv("E2E_AUDIT_LOG")
)

// admin may do everything. adminHTTP reaches the API server at adminURL as the
// same user, for what goes through it to pods.
var (
	admin     client.Client
	adminHTTP *http.Client
	adminURL  string
)

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
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return 0, err
	}
	if admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	if adminHTTP, err = rest.HTTPClientFor(config); err != nil {
		return 0, err
	}
	adminURL = strings.TrimSuffix(config.Host, "/")
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
