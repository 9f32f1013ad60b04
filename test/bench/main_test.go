// Package bench measures kongdao as a whole process, beside a control plane:
// what an admission costs against a webhook that does nothing, what it adds to
// the creation of a pod, and what memory a large catalog takes. Figures are
// ratios within one run; absolute times are those of the machine.
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
	"kongdao.io/kongdao/test/process"
)

// stage is what all benchmarks share.
type stage struct {
	plane   *controlplane.ControlPlane
	webhook *installation.Webhook
	// noop is the webhook that does nothing; its paths are /noop and /capture.
	noop        *process.Process
	noopAddress string
	noopMetrics string
	captured    string
	client      *http1
}

var shared stage

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
	say := func(format string, arguments ...any) { fmt.Fprintf(os.Stderr, format+"\n", arguments...) }

	say("building the webhook as it is released, and one that does nothing")
	program, err := installation.Build(ctx, "webhook", dir, "-trimpath", "-ldflags", "-s -w")
	if err != nil {
		return 0, err
	}
	if info, err := os.Stat(program); err == nil {
		say("the webhook's program has %.1f MB", float64(info.Size())/1e6)
	}
	// Room for a gigabyte of sources, and their history until etcd is compacted.
	shared.plane, err = controlplane.Start(ctx, controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr,
		EtcdFlags: map[string]string{"quota-backend-bytes": "8589934592"},
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.plane.Stop()) }()
	// One core each for the webhooks: the API server and this program have the rest.
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil {
		return 0, err
	}
	if shared.webhook, err = installation.Start(ctx, shared.plane, program, dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.webhook.Kill()) }()
	shared.captured = filepath.Join(dir, "review.json")
	if err := shared.startNoop(ctx, dir); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.noop.Kill()) }()
	if err := os.Unsetenv("GOMAXPROCS"); err != nil {
		return 0, err
	}
	if shared.client, err = newHTTP1(shared.plane.CA()); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
