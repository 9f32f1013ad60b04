// Package cluster provides a control plane with kongdao's webhook to the tests of a package, and what these tests
// commonly do with it.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/wait"
)

// MaxWait limits how long a test waits for something. An idle machine needs a small part of it.
const MaxWait = time.Minute

// Cluster is a control plane with kongdao's webhook.
type Cluster struct {
	Plane *controlplane.ControlPlane
	// Program is the path of the webhook program. It is built with the race detector.
	Program string
	// Dir contains the program and the files of Webhook.
	Dir string
	// Webhook is the webhook that the API server calls. The tests start it.
	Webhook *installation.Webhook
	// Controller is nil unless the tests start it.
	Controller *installation.Program
}

// Run builds the webhook program, starts a control plane and calls runTests. Afterwards it stops the processes and the
// control plane. It returns the exit code for TestMain.
func Run(auditPolicy string, runTests func(ctx context.Context, c *Cluster) (code int, err error)) int {
	code, err := run(auditPolicy, runTests)
	if err != nil {
		fmt.Fprintf(os.Stderr, "--- FAIL: TestMain\n%v\n", err) // with the prefix of failed tests, to find it in a log
		return 1
	}
	return code
}

func run(auditPolicy string, runTests func(ctx context.Context, c *Cluster) (int, error)) (code int, err error) {
	ctrl.SetLogger(logr.Discard()) // the clients of the tests log nothing
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "kongdao-test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	c := &Cluster{Dir: dir}
	if c.Program, err = installation.Build(ctx, "webhook", dir, "-race"); err != nil {
		return 0, err
	}
	c.Plane, err = controlplane.Start(ctx, controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr, AuditPolicy: auditPolicy,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	return runTests(ctx, c)
}

func (c *Cluster) stop() error {
	var errs []error
	if c.Webhook != nil {
		errs = append(errs, c.Webhook.Kill())
	}
	if c.Controller != nil {
		errs = append(errs, c.Controller.Kill())
	}
	return errors.Join(append(errs, c.Plane.Stop())...)
}

// Eventually calls check until it returns nil. It fails the test after MaxWait.
func Eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	wait.For(t, MaxWait, check)
}

// Create creates objects as an administrator.
func (c *Cluster) Create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Webhook.Admin.Create(t.Context(), object); err != nil {
			t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// CreateNamespace creates a namespace with a new name, in which pods can be created.
func (c *Cluster) CreateNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	c.Create(t, namespace)
	c.WaitForServiceAccount(t, namespace.Name)
	return namespace.Name
}

// WaitForServiceAccount waits for the default service account of a namespace. Without it, the API server rejects pods
// (fact P3).
func (c *Cluster) WaitForServiceAccount(t *testing.T, namespace string) {
	t.Helper()
	key := client.ObjectKey{Namespace: namespace, Name: "default"}
	Eventually(t, func(ctx context.Context) error {
		return c.Webhook.Admin.Get(ctx, key, &corev1.ServiceAccount{})
	})
}
