// Package controllers proves on a real API server what kongdao does beside
// admissions. Pods wait for their plugins' migrations, and these are run: once, one
// after the other, and whatever happens to who runs them. Policies give pods what
// they do not ask for, and have a say in what may be asked for; libraries' plugins
// come to the namespaces that need them.
//
// No pod runs here: the tests play the kubelet, which says how the pods of Jobs
// ended and which pods are ready; what Kong itself says is for test/e2e. All
// tests share one control plane and one webhook, and each has a namespace of its
// own. Those that take the webhook down are not parallel: Go runs them before the
// parallel ones.
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

// system is kongdao's own namespace: its Lease is there.
const system = "kongdao-system"

// What all tests of this package share.
var (
	plane   *controlplane.ControlPlane
	webhook *installation.Webhook
	// program is the webhook's, built with the race detector.
	program string
)

// auditPolicy has written down all that the webhook asks of the API server.
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
	ctrl.SetLogger(logr.Discard()) // of this process, whose clients need none
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
	if webhook, err = installation.StartWithFeatures(ctx, plane, program, dir, system, []string{"migrations", "policies"}, "--copy-retention=2s"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, webhook.Kill()) }()
	watched, err := watchJobs(ctx)
	if err != nil {
		return 0, err
	}
	code = m.Run()
	// What all tests together have brought about.
	return code, errors.Join(watched.stop(), checkLog(webhook), checkMetrics(ctx))
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
