package main

import (
	"context"
	"fmt"
	"os"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/memorylimit"
)

// serve runs the webhook until ctx ends and the admissions in progress are answered.
func serve(ctx context.Context, options Options) error {
	if err := setLogger(options.LogLevel); err != nil {
		return err
	}
	if _, err := memorylimit.Set(os.Getenv); err != nil {
		return err
	}
	config, err := restConfig(options.Kubeconfig)
	if err != nil {
		return err
	}
	certificate, err := newProvider(options)
	if err != nil {
		return err
	}
	manager, err := newManager(config, options, certificate)
	if err != nil {
		return err
	}
	var draining drainer
	running, cancel := draining.delay(ctx, drainTime)
	defer cancel()
	if err := register(running, manager, options, certificate, &draining); err != nil {
		return err
	}
	ctrl.Log.Info("starting", "version", version, "apiServer", config.Host)
	if err := manager.Start(running); err != nil {
		return fmt.Errorf("serve admissions: %w", err)
	}
	return nil
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; outside a cluster, set --kubeconfig", err)
	}
	// No client-side limit: the API server protects itself. client-go's default limit delayed some of 1,028 pods in a
	// burst by 25 s (fact W5).
	config.QPS = -1
	config.UserAgent = "kongdao-webhook/" + version
	return config, nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, addToScheme := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, admissionregistrationv1.AddToScheme, batchv1.AddToScheme, certmanagerv1.AddToScheme,
		v1alpha1.AddToScheme,
	} {
		if err := addToScheme(scheme); err != nil {
			return nil, fmt.Errorf("set up the scheme: %w", err)
		}
	}
	return scheme, nil
}

// leaseName is the Lease for leader election.
const leaseName = "kongdao-migrations"

// The times of leader election. After a crash of the leader, another replica leads within leaseDuration and about two
// retry periods: 10 s, instead of 17 s with the defaults of client-go. A leader that cannot renew the Lease for
// renewDeadline stops, and the kubelet starts it again. So the deadline is longer than a restart of an API server
// behind a load balancer takes. Work that was interrupted goes on with the next leader.
const (
	leaseDuration = 8 * time.Second
	renewDeadline = 5 * time.Second
	retryPeriod   = time.Second
)

func newManager(config *rest.Config, options Options, certificate certs.Provider) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	server, err := newWebhookServer(options, certificate)
	if err != nil {
		return nil, err
	}
	cached, err := cacheOptions(options)
	if err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   cached,
		LeaderElection:          options.needsLeader() != "", // only for the controllers: every replica serves admissions
		LeaderElectionID:        leaseName,
		LeaderElectionNamespace: options.Namespace,
		LeaseDuration:           new(leaseDuration),
		RenewDeadline:           new(renewDeadline),
		RetryPeriod:             new(retryPeriod),
		// Safe because the process exits as soon as the manager has stopped.
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        "0", // serveHealth serves them
		PprofBindAddress:              options.ProfilingAddress,
		GracefulShutdownTimeout:       &options.ShutdownTimeout,
		WebhookServer:                 server,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the process: %w", explainMissingCRDs(err))
	}
	return manager, nil
}
