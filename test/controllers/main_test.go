// Package controllers tests the controllers of kongdao on a real API server: migrations, policies, and the copies of
// libraries.
//
// No pod runs here. The tests set the status of pods in place of the kubelet: how the pods of Jobs end, and which pods
// are ready. test/e2e runs Kong. All tests share one control plane and one webhook, and each test has its own
// namespace. Tests that stop the webhook are not parallel: Go runs them before the parallel ones.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// system is the namespace of kongdao. It has the Lease.
const system = "kongdao-system"

// All tests of this package share these.
var (
	plane   *controlplane.ControlPlane
	webhook *installation.Webhook
	// program is the path of the webhook program, which has the race detector.
	program string
)

// auditPolicy lets the API server log all requests of the webhook.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - {level: Metadata, users: [` + installation.WebhookUser + `]}
  - {level: None}
`

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctrl.SetLogger(logr.Discard()) // the clients of the tests log nothing
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "kongdao-controllers-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if program, err = installation.Build(ctx, "webhook", dir, "-race"); err != nil {
		return 0, err
	}
	if err := startPlane(ctx); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	features := []string{"migrations", "policies"}
	webhook, err = installation.StartWithFeatures(ctx, plane, program, dir, system, features, "--copy-retention=2s")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, webhook.Kill()) }()
	jobs, err := watchJobs(ctx)
	if err != nil {
		return 0, err
	}
	code = m.Run()
	// These checks are about all tests together.
	return code, errors.Join(jobs.stop(), checkLog(webhook), checkMetrics(ctx))
}

func startPlane(ctx context.Context) (err error) {
	plane, err = controlplane.Start(ctx, controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr, AuditPolicy: auditPolicy,
	})
	if err != nil {
		return err
	}
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return errors.Join(err, plane.Stop())
	}
	if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}}); err != nil {
		return errors.Join(err, plane.Stop())
	}
	return nil
}
