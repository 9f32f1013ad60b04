package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
)

// serve runs the webhook until ctx ends, and then until the admissions in
// flight are answered.
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
	var drained drain
	running, stop := drained.after(ctx, drainTime)
	defer stop()
	if err := register(running, manager, options, certificate, &drained); err != nil {
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
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; outside of one, name it with --kubeconfig", err)
	}
	// The API server guards itself; a limit here would hold back admissions,
	// in a burst of pods for half a minute (W5).
	config.QPS = -1
	config.UserAgent = "kongdao-webhook/" + version
	return config, nil
}

// leaseName is the Lease by which replicas agree on who runs migrations.
const leaseName = "kongdao-migrations"

func newManager(config *rest.Config, options Options, certificate certs.Provider) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), admissionregistrationv1.AddToScheme(scheme), batchv1.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	sources, err := clusterstate.SourcesCache(options.WatchNamespaces...)
	if err != nil {
		return nil, err
	}
	kept := cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: sources}}
	maps.Copy(kept.ByObject, sharedCaches(options))
	maps.Copy(kept.ByObject, watched(options))
	ofMigrations, err := migrationCaches(options)
	if err != nil {
		return nil, err
	}
	maps.Copy(kept.ByObject, ofMigrations)
	maps.Copy(kept.ByObject, policyCaches(options))
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   kept,
		LeaderElection:          options.leads() != "", // admissions and certificates are every replica's
		LeaderElectionID:        leaseName,
		LeaderElectionNamespace: options.Namespace,
		// The process ends when the manager does, so nothing goes on without the lease.
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        "0", // serveHealth does
		PprofBindAddress:              options.ProfilingAddress,
		GracefulShutdownTimeout:       &options.ShutdownTimeout,
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: options.Host, Port: options.Port,
			CertDir: options.CertDir, ClientCAName: options.ClientCA,
			TLSOpts: []func(*tls.Config){func(config *tls.Config) {
				config.GetCertificate = certificate.GetCertificate
				config.MinVersion = tlsVersions()[options.TLSMinVersion]
				// The API server speaks nothing else to a Service (W9), and without
				// HTTP/2 no client can hold the process with its streams.
				config.NextProtos = []string{"http/1.1"}
			}},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the process: %w", inWords(err))
	}
	return manager, nil
}

// register puts the handlers and the probes into the manager.
func register(ctx context.Context, manager ctrl.Manager, options Options, certificate certs.Provider, drained *drain) error {
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
	index, err := injectedPods(ctx, manager, options)
	if err != nil {
		return err
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
	server.Register("/mutate/pods", drained.handler(pods))
	server.Register("/mutate/workloads", drained.handler(&webhook.Admission{Handler: &admission.Workloads{
		Sources:  sources,
		Policies: ruled,
		Metrics:  counted,
		Log:      ctrl.Log.WithName("workloads"),
	}}))
	synced := func(*http.Request) error {
		if !sources.Synced() {
			return errors.New("the plugins' ConfigMaps are not all read yet")
		}
		return nil
	}
	return serveHealth(ctx, manager, options.HealthAddress, []check{
		{"certificate", func(*http.Request) error { return certificate.Ready() }},
		{"sources", synced},
		{"policies", func(*http.Request) error {
			if !policiesKnown() {
				return errors.New("the policies are not all read yet")
			}
			return nil
		}},
		{"webhook", server.StartedChecker()},
	})
}
