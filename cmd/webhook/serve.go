package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
)

// serve runs the webhook until ctx ends and the admissions in progress are answered.
func serve(ctx context.Context, options Options) error {
	if err := setLogger(options.LogLevel); err != nil {
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

// leaseName is the Lease for leader election.
const leaseName = "kongdao-migrations"

func newManager(config *rest.Config, options Options, certificate certs.Provider) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, addToScheme := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, admissionregistrationv1.AddToScheme, batchv1.AddToScheme, certmanagerv1.AddToScheme,
		v1alpha1.AddToScheme,
	} {
		if err := addToScheme(scheme); err != nil {
			return nil, fmt.Errorf("set up the scheme: %w", err)
		}
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
		// Safe because the process exits as soon as the manager has stopped.
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        "0", // serveHealth serves them
		PprofBindAddress:              options.ProfilingAddress,
		GracefulShutdownTimeout:       &options.ShutdownTimeout,
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: options.Host, Port: options.Port,
			CertDir: options.CertDir, ClientCAName: options.ClientCA,
			TLSOpts: []func(*tls.Config){func(config *tls.Config) {
				config.GetCertificate = certificate.GetCertificate
				config.MinVersion = tlsVersions()[options.TLSMinVersion]
				// The API server speaks only HTTP/1.1 to a Service (fact W9). Without HTTP/2, no client can exhaust the process
				// with streams.
				config.NextProtos = []string{"http/1.1"}
			}},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the process: %w", explainMissingCRDs(err))
	}
	return manager, nil
}

// register puts the handlers and the probes into the manager.
func register(
	ctx context.Context, manager ctrl.Manager, options Options, certificate certs.Provider, draining *drainer,
) error {
	if err := certificate.SetUp(manager); err != nil {
		return err
	}
	known, err := clusterstate.NewSources(ctx, manager.GetCache())
	if err != nil {
		return err
	}
	sources := &admission.Sources{Sources: known, Live: manager.GetAPIReader()}
	counted, err := admission.NewMetrics(metrics.Registry)
	if err != nil {
		return err
	}
	pods := &admission.Pods{
		Sources: sources,
		Metrics: counted,
		Events:  events.NewRecorder(manager.GetEventRecorder("kongdao")),
		Log:     ctrl.Log.WithName("pods"),
	}
	var index *clusterstate.InjectedPods
	if options.needsLeader() != "" {
		if index, err = clusterstate.NewInjectedPods(ctx, manager.GetCache()); err != nil {
			return err
		}
	}
	if err := migrations(ctx, manager, options, known, index, pods); err != nil {
		return err
	}
	ruled, policiesKnown, err := policies(ctx, manager, options, known, index)
	if err != nil {
		return err
	}
	pods.Policies = ruled
	server := manager.GetWebhookServer()
	server.Register("/mutate/pods", draining.wrap(pods))
	server.Register("/mutate/workloads", draining.wrap(&webhook.Admission{Handler: &admission.Workloads{
		Sources:  sources,
		Policies: ruled,
		Metrics:  counted,
		Log:      ctrl.Log.WithName("workloads"),
	}}))
	synced := func(*http.Request) error {
		if !sources.Synced() {
			return errors.New("not all plugin sources have been read yet")
		}
		return nil
	}
	return serveHealth(ctx, manager, options.HealthAddress, []readinessCheck{
		{"certificate", func(*http.Request) error { return certificate.Ready() }},
		{"sources", synced},
		{"policies", func(*http.Request) error {
			if !policiesKnown() {
				return errors.New("not all PluginPolicies have been read yet")
			}
			return nil
		}},
		{"webhook", server.StartedChecker()},
	})
}
