// Command certmanager is cert-manager's controller, as far as SelfSigned and CA issuers need it: the controllers are
// cert-manager's own, and only what starts them is this file. The project's own cannot be had as a Go module: its
// program is a module apart that no proxy serves, for it finds the rest by a folder of its repository.
//
// Left out are leader election, metrics, the webhook, the CA injector and ACME, Vault and Venafi.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	requestsca "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	requestsselfsigned "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	"github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	"github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	"github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	// The kinds of issuers that the controllers issuers and clusterissuers know.
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// names are those of the controllers to run. Each has made itself known to package controller.
var names = []string{
	issuers.ControllerName,
	clusterissuers.ControllerName,
	approver.ControllerName, // approves every request for these issuers, without which none is signed
	requestsca.CRControllerName,
	requestsselfsigned.CRControllerName,
	trigger.ControllerName,
	keymanager.ControllerName,
	requestmanager.ControllerName,
	issuing.ControllerName,
	readiness.ControllerName,
	revisionmanager.ControllerName,
}

// workers are those of each controller: cert-manager's own number.
const workers = 5

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how the cluster is reached, by a user who may do all that cert-manager does")
	readyFile := flag.String("ready-file", "", "a file to make once every controller knows what there is in the cluster")
	klog.InitFlags(nil) // -v=4 makes the controllers tell what they do
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *kubeconfig, *readyFile)
	stop()
	klog.Flush()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cert-manager:", err)
		os.Exit(1)
	}
}

// run runs the controllers until ctx ends, or one of them does.
func run(ctx context.Context, kubeconfig, readyFile string) error {
	if kubeconfig == "" {
		return errors.New("no kubeconfig: set --kubeconfig")
	}
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, options(kubeconfig))
	if err != nil {
		return fmt.Errorf("preparing for the cluster of %s: %w", kubeconfig, err)
	}
	// What all controllers share, the informers above all.
	shared, err := factory.Build()
	if err != nil {
		return fmt.Errorf("preparing for the cluster of %s: %w", kubeconfig, err)
	}
	// All of them are made before any informer starts: an informer that is asked for later would never start.
	for _, name := range names {
		made, err := controller.Known()[name](factory)
		if err != nil {
			return fmt.Errorf("making the controller %s: %w", name, err)
		}
		group.Go(func() error {
			if err := made.Run(workers, ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("running the controller %s: %w", name, err)
			}
			return nil
		})
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	group.Go(func() error {
		shared.SharedInformerFactory.WaitForCacheSync(ctx.Done())
		shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done())
		if readyFile == "" || ctx.Err() != nil {
			return nil
		}
		return os.WriteFile(readyFile, nil, 0o600)
	})
	return group.Wait()
}

// options are cert-manager's own defaults, as far as they matter here.
func options(kubeconfig string) controller.ContextOptions {
	return controller.ContextOptions{
		Kubeconfig:         kubeconfig,
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: "kube-system"},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
}
