//go:build e2e

// Package e2e tests kongdao on a real Kubernetes cluster: installation and removal, recovery from failures, the files
// that the kubelet mounts, and the processes in the containers.
//
// "make e2e" runs the tests, on the cluster of hack/cluster or on the cluster in E2E_KUBECONFIG. The tests use Helm and
// kubectl, as users do. Each test has its own namespace.
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

// Settings from hack/e2e.sh.
var (
	kubeconfig = os.Getenv("E2E_KUBECONFIG")
	// image is the image of kongdao. previousImage and previousChart are those of the previous release.
	image         = os.Getenv("E2E_IMAGE")
	previousImage = os.Getenv("E2E_PREVIOUS_IMAGE")
	previousChart = os.Getenv("E2E_PREVIOUS_CHART")
	// kongImage is an image of Kong or of its test double (test/kong). postgresImage is an image of PostgreSQL.
	kongImage     = os.Getenv("KONG_IMAGE")
	postgresImage = os.Getenv("E2E_POSTGRES_IMAGE")
	// restartAPIServer is a shell command that restarts the API server. auditLog is the file with its audit log. Both
	// are optional.
	restartAPIServer = os.Getenv("E2E_RESTART_API_SERVER")
	auditLog         = os.Getenv("E2E_AUDIT_LOG")
)

// admin has all rights. adminHTTP is the same user, for requests to pods through the API server at adminURL.
var (
	admin     client.Client
	adminHTTP *http.Client
	adminURL  string
)

// homeFolder is the home directory of kubectl and Helm. kubectl stores its cache there.
var homeFolder string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "--- FAIL: TestMain\n%v: run these tests with 'make e2e'\n", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if err := checkPrerequisites(); err != nil {
		return 0, err
	}
	ctrl.SetLogger(logr.Discard()) // the clients' log messages are not part of the tests
	if homeFolder, err = os.MkdirTemp("", "kongdao-e2e-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(homeFolder)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 0, err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(
		clientgoscheme.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme),
	); err != nil {
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

// checkPrerequisites returns an error if a setting or a program is missing.
func checkPrerequisites() error {
	if kubeconfig == "" || image == "" || previousImage == "" || previousChart == "" {
		return errors.New("E2E_KUBECONFIG, E2E_IMAGE, E2E_PREVIOUS_IMAGE or E2E_PREVIOUS_CHART is not set")
	}
	for _, program := range []string{"helm", "kubectl", "kubectl-kongdao"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	return nil
}
