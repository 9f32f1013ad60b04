// Package controllers tests the controllers of kongdao on a real API server: migrations, policies, and the copies of
// libraries.
//
// No pod runs here. The tests set the status of pods in place of the kubelet: how the pods of Jobs end, and which pods
// are ready. test/e2e runs Kong. All tests share one control plane, one webhook and one controller, and each test has
// its own namespace. Tests that stop a process are not parallel: Go runs them before the parallel ones.
package controllers

import (
	"context"
	"errors"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// system is the namespace of kongdao. It has the Lease.
const system = "kongdao-system"

// All tests of this package share these.
var (
	shared     *cluster.Cluster
	plane      *controlplane.ControlPlane
	webhook    *installation.Webhook
	controller *installation.Program
	// controllerPath is the program of the controller. It is built with the race detector.
	controllerPath string
)

// auditPolicy lets the API server log all requests of kongdao.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - {level: Metadata, users: [` + installation.WebhookUser + `, ` + installation.ControllerUser + `]}
  - {level: None}
`

func TestMain(m *testing.M) {
	os.Exit(cluster.Run(auditPolicy, func(ctx context.Context, started *cluster.Cluster) (code int, err error) {
		shared, plane = started, started.Plane
		if err := install(ctx); err != nil {
			return 0, err
		}
		jobs, err := watchJobs(ctx)
		if err != nil {
			return 0, err
		}
		code = m.Run()
		// These check the effects of all tests.
		return code, errors.Join(jobs.stop(), checkLog(webhook), checkLog(controller), checkMetrics(ctx))
	}))
}

// install creates the system namespace and starts the webhook and the controller with all features.
func install(ctx context.Context) error {
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return err
	}
	if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}}); err != nil {
		return err
	}
	if controllerPath, err = installation.Build(ctx, "controller", shared.Dir, "-race"); err != nil {
		return err
	}
	programs := installation.Programs{Webhook: shared.Program, Controller: controllerPath}
	features := []string{"migrations", "policies"}
	webhook, controller, err = installation.StartWithFeatures(
		ctx, plane, programs, shared.Dir, system, features, "--copy-retention=2s", "--finish-delay=1s")
	shared.Webhook, shared.Controller = webhook, controller
	return err
}
