// Command demo shows kongdao's main job on a control plane of this machine's
// own: a plugin's folder, a Deployment, one annotation, and what its pods get.
// KUBEBUILDER_ASSETS names Kubernetes' programs, as hack/kubernetes/build.sh
// prints it; with KEEP=1 all stays up until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/installation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard()) // the clients' own talk is none of the story
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "kongdao-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out := newScreen(os.Stdout)

	out.heading("Building kongdao")
	var programs [2]string
	for i, command := range []string{"webhook", "kubectl-kongdao"} {
		out.step("building cmd/" + command)
		if programs[i], err = installation.Build(ctx, command, dir); err != nil {
			return err
		}
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	out.heading("Starting a control plane on this machine's loopback")
	plane, err := controlplane.Start(ctx, controlplane.Options{Assets: assets, Log: out})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	out.step("starting the webhook, with the rights of deploy/kustomize/base")
	webhook, err := installation.Start(ctx, plane, programs[0], dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, webhook.Kill()) }()

	shell := &shell{screen: out, kubeconfig: plane.Kubeconfig(), path: dir + string(os.PathListSeparator) + assets}
	if err := tell(ctx, shell); err != nil {
		return fmt.Errorf("%w\nthe webhook's log:\n%s", err, logOf(webhook))
	}
	if os.Getenv("KEEP") == "" {
		out.heading("Cleaning up (make demo KEEP=1 leaves it running)")
		return nil
	}
	out.heading("It stays up until you press Ctrl-C. In another terminal:")
	fmt.Fprintf(out, "export KUBECONFIG=%s PATH=%s:$PATH\nkubectl get pods\ntail -f %s\n", plane.Kubeconfig(), shell.path, webhook.LogFile())
	<-ctx.Done()
	return nil
}

func logOf(webhook *installation.Webhook) string {
	text, err := os.ReadFile(webhook.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tell is the story itself, in a user's commands.
func tell(ctx context.Context, shell *shell) error {
	kong := filepath.Join(installation.ProjectRoot(), "hack", "demo", "kong.yaml")
	shell.heading("A plugin with entities and migrations, from a folder to a ConfigMap")
	if err := errors.Join(
		shell.run(ctx, "kubectl kongdao pack "+short(fixtures.PluginFolder())+" | kubectl create -f -"),
		shell.run(ctx, "kubectl get configmaps -l kongdao.io/plugin -L kongdao.io/plugin,kongdao.io/plugin-version"),
	); err != nil {
		return err
	}
	shell.heading("A Kong that knows nothing of it")
	if err := shell.run(ctx, "kubectl create -f "+short(kong)); err != nil {
		return err
	}
	before, err := shell.firstPod(ctx, "app=kong,!kongdao.io/injected")
	if err != nil {
		return err
	}
	shell.heading("One annotation")
	if err := shell.run(ctx, "kubectl annotate deployment kong kongdao.io/plugins=dao-test"); err != nil {
		return err
	}
	after, err := shell.firstPod(ctx, "app=kong,kongdao.io/injected=true")
	if err != nil {
		return err
	}
	shell.heading("What its new pod has that the template does not say")
	if err := shell.diff(before, after); err != nil {
		return err
	}
	shell.heading("A slip of the pen is said to whoever makes it, and the running pods stay")
	return shell.run(ctx, "kubectl annotate --overwrite deployment kong kongdao.io/plugins=dao-tset")
}

// short is a path as it is written in the project's folder.
func short(path string) string {
	if relative, err := filepath.Rel(installation.ProjectRoot(), path); err == nil {
		return relative
	}
	return path
}

// patience bounds every wait.
const patience = time.Minute
