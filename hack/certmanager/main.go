// Command certmanager runs cert-manager's controllers for SelfSigned and CA issuers. The controllers are cert-manager's
// own; this program only starts them. cert-manager's own program is not available as a Go module, because it refers to
// the other modules by folders of its repository.
//
// It has no leader election, metrics, webhook, CA injector, and no support for ACME, Vault and Venafi.
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

	// These imports register the supported types of issuers.
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// controllerNames are the controllers to run. Each one has registered itself with package controller.
var controllerNames = []string{
	issuers.ControllerName,
	clusterissuers.ControllerName,
	approver.ControllerName, // requests are signed only after approval
	requestsca.CRControllerName,
	requestsselfsigned.CRControllerName,
	trigger.ControllerName,
	keymanager.ControllerName,
	requestmanager.ControllerName,
	issuing.ControllerName,
	readiness.ControllerName,
	revisionmanager.ControllerName,
}

// workersPerController is the default of cert-manager.
const workersPerController = 5

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path to the kubeconfig of a user with cert-manager's permissions")
	readyFile := flag.String("ready-file", "", "file to create when the caches of all controllers are synced")
	klog.InitFlags(nil) // -v=4 logs what the controllers do
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

// run runs the controllers until ctx ends or one of them fails.
func run(ctx context.Context, kubeconfig, readyFile string) error {
	if kubeconfig == "" {
		return errors.New("no kubeconfig: set --kubeconfig")
	}
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, options(kubeconfig))
	if err != nil {
		return fmt.Errorf("create clients for the cluster of %s: %w", kubeconfig, err)
	}
	// All controllers share these clients and informers.
	shared, err := factory.Build()
	if err != nil {
		return fmt.Errorf("create clients for the cluster of %s: %w", kubeconfig, err)
	}
	// Create all controllers before the informers start. An informer that is requested later never starts.
	for _, name := range controllerNames {
		runner, err := controller.Known()[name](factory)
		if err != nil {
			return fmt.Errorf("create the controller %s: %w", name, err)
		}
		group.Go(func() error {
			if err := runner.Run(workersPerController, ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("run the controller %s: %w", name, err)
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

// options returns cert-manager's defaults for the options that these controllers use.
func options(kubeconfig string) controller.ContextOptions {
	return controller.ContextOptions{
		Kubeconfig:         kubeconfig,
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: "kube-system"},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes: []string{
				"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/",
			},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
}
