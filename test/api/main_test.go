// Package api proves what kongdao promises on a real API server: its webhook,
// as the program that is shipped, answers what kube-apiserver, the controllers
// of kube-controller-manager and kubectl really send.
//
// All tests share one control plane and one webhook. Each has a namespace of
// its own. Those that take the webhook down are not parallel: Go runs them
// before the parallel ones.
package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// What all tests of this package share.
var (
	plane   *controlplane.ControlPlane
	webhook *installation.Webhook
	// program is the webhook's, built with the race detector.
	program string
)

// auditPolicy has written down the pods that are created, and when the webhook
// reads ConfigMaps.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [create], resources: [{group: "", resources: [pods]}]}
  - {level: Metadata, verbs: [list], users: [` + installation.WebhookUser + `], resources: [{group: "", resources: [configmaps]}]}
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
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "kongdao-api-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if program, err = installation.Build(ctx, "webhook", dir, "-race"); err != nil {
		return 0, err
	}
	plane, err = controlplane.Start(ctx, controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr, AuditPolicy: auditPolicy,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if webhook, err = installation.Start(ctx, plane, program, dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, webhook.Kill()) }()
	code = m.Run()
	// What all tests together have left behind.
	return code, errors.Join(checkLog(webhook), checkMetrics(ctx), checkCounted(ctx))
}
