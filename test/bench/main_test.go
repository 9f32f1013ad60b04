// Package bench measures kongdao's webhook process next to a control plane. It measures the cost of an admission
// compared to a webhook that does nothing, the additional time to create a pod, and the memory for a large catalog. The
// results are ratios within one run, because absolute times depend on the machine.
package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// environment is what all benchmarks share.
type environment struct {
	plane   *controlplane.ControlPlane
	webhook *installation.Webhook
	noop    *noopWebhook
	client  *reviewClient
	// program is the path of the webhook program.
	program string
}

// shared is set by TestMain before the benchmarks run.
var shared environment

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if flag.Lookup("test.bench").Value.String() == "" {
		return m.Run(), nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "kongdao-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	if shared.program, err = buildWebhook(ctx, dir); err != nil {
		return 0, err
	}
	shared.plane, err = controlplane.Start(ctx, controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr,
		// 8 GiB, for a gigabyte of sources and their history until etcd compacts it.
		EtcdFlags: map[string]string{"quota-backend-bytes": "8589934592"},
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.plane.Stop()) }()
	// One core for each webhook, because the API server and this program need the other cores.
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil {
		return 0, err
	}
	if shared.webhook, err = installation.Start(ctx, shared.plane, shared.program, dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.webhook.Kill()) }()
	if shared.noop, err = startNoopWebhook(ctx, dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.noop.process.Kill()) }()
	if err := os.Unsetenv("GOMAXPROCS"); err != nil {
		return 0, err
	}
	if shared.client, err = newReviewClient(shared.plane.CA()); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// buildWebhook builds the webhook as in a release, and prints the size of the program.
func buildWebhook(ctx context.Context, dir string) (string, error) {
	fmt.Fprintln(os.Stderr, "building the webhook and the webhook that does nothing")
	program, err := installation.Build(ctx, "webhook", dir, releaseFlags()...)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "size of the webhook program: %.1f MB\n", float64(info.Size())/1e6)
	return program, nil
}

// releaseFlags are the flags of go build for a release.
func releaseFlags() []string { return []string{"-trimpath", "-ldflags", "-s -w"} }

// reviewFile is the file in dir where the webhook that does nothing stores a captured review.
func reviewFile(dir string) string { return filepath.Join(dir, "review.json") }
