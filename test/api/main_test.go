// Package api tests kongdao's webhook on a real API server. The webhook is the program that is shipped. Its clients are
// kube-apiserver, kubectl and the controllers of kube-controller-manager.
//
// All tests share one control plane and one webhook, and each test has its own namespace. Tests that stop the webhook
// are not parallel: Go runs them before the parallel ones.
package api

import (
	"context"
	"errors"
	"os"
	"testing"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// All tests of this package share these.
var (
	shared  *cluster.Cluster
	plane   *controlplane.ControlPlane
	webhook *installation.Webhook
)

// auditPolicy lets the API server log which pods are created, and when the webhook lists ConfigMaps.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [create], resources: [{group: "", resources: [pods]}]}
  - level: Metadata
    verbs: [list]
    users: [` + installation.WebhookUser + `]
    resources: [{group: "", resources: [configmaps]}]
  - {level: None}
`

func TestMain(m *testing.M) {
	os.Exit(cluster.Run(auditPolicy, func(ctx context.Context, started *cluster.Cluster) (code int, err error) {
		shared, plane = started, started.Plane
		if webhook, err = installation.Start(ctx, plane, shared.Program, shared.Dir); err != nil {
			return 0, err
		}
		shared.Webhook = webhook
		code = m.Run()
		// These check the effects of all tests.
		return code, errors.Join(cluster.CheckLog(webhook), checkMetrics(ctx), checkAdmissionCount(ctx))
	}))
}
