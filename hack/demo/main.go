// Command demo shows what kongdao does, on a control plane that runs only on this machine. It packs a plugin, requests
// it by an annotation, and compares the pods before and after.
//
// KUBEBUILDER_ASSETS is the folder of Kubernetes' programs, which hack/kubernetes/build.sh prints. With KEEP=1, the
// control plane runs until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard()) // the clients of this process log nothing that helps here
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		stop()
		os.Exit(1)
	}
}

const introduction = `This demo adds a Kong plugin with a database table to a Kong Deployment, by one annotation.

It runs etcd, kube-apiserver, kube-controller-manager and kongdao on this machine, with
real objects and real admission. There is no node, so no container runs: pods stay
Pending, and the migration Job does not finish. "make e2e" shows the rest on a cluster.`

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "kongdao-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out := newScreen(os.Stdout)
	fmt.Fprintln(out, introduction)

	out.heading("Building and starting")
	programs, err := build(ctx, out, dir)
	if err != nil {
		return err
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	plane, err := controlplane.Start(ctx, controlplane.Options{Assets: assets, Log: out})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	shell := newShell(out, plane.Kubeconfig(), dir, assets)
	webhook, controller, err := start(ctx, shell, plane, programs, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, webhook.Kill(), controller.Kill()) }()

	if err := show(ctx, shell, dir); ctx.Err() != nil {
		return errors.New("interrupted")
	} else if err != nil {
		return fmt.Errorf("%w\nthe webhook's log:\n%s\nthe controller's log:\n%s", err,
			readLog(webhook.LogFile()), readLog(controller.LogFile()))
	}
	if os.Getenv("KEEP") == "" {
		out.heading("Done. Everything is removed now. To keep it running, use: make demo KEEP=1")
		return nil
	}
	out.heading("Done. Everything runs until you press Ctrl-C. To try more, use another terminal:")
	fmt.Fprintf(out, "export KUBECONFIG=%s PATH=%s:$PATH\nkubectl get pods\ntail -f %s %s\n",
		plane.Kubeconfig(), shell.path, webhook.LogFile(), controller.LogFile())
	<-ctx.Done()
	return nil
}

// build builds the programs and the kubectl plugin.
func build(ctx context.Context, out *screen, dir string) (installation.Programs, error) {
	fmt.Fprintln(out, "building cmd/kubectl-kongdao, cmd/webhook and cmd/controller")
	if _, err := installation.Build(ctx, "kubectl-kongdao", dir); err != nil {
		return installation.Programs{}, err
	}
	return installation.BuildPrograms(ctx, dir)
}

// start starts the webhook, and the controller for migrations.
func start(
	ctx context.Context, shell *shell, plane *controlplane.ControlPlane, programs installation.Programs, dir string,
) (*installation.Webhook, *installation.Program, error) {
	const namespace = "kongdao-system"
	if _, err := shell.output(ctx, "kubectl create namespace "+namespace); err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(shell, "starting kongdao with the permissions of deploy/kustomize/base")
	return installation.StartWithFeatures(ctx, plane, programs, dir, namespace, []string{"migrations"})
}

func readLog(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // the demo created this file
	if err != nil {
		return err.Error()
	}
	return string(text)
}
