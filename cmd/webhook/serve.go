package main

import (
	"context"
	"fmt"
	"os"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/memorylimit"
	"kongdao.io/kongdao/pkg/process"
)

// serve runs the webhook until ctx ends and the admissions in progress are answered.
func serve(ctx context.Context, options Options) error {
	if err := process.SetLogger(options.LogLevel); err != nil {
		return err
	}
	if _, err := memorylimit.Set(os.Getenv); err != nil {
		return err
	}
	config, err := process.RESTConfig(options.Kubeconfig, "kongdao-webhook/"+version)
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
	running, cancel := draining.delay(ctx)
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

func newManager(config *rest.Config, options Options, certificate certs.Provider) (ctrl.Manager, error) {
	scheme, err := process.NewScheme(appsv1.AddToScheme, corev1.AddToScheme, admissionregistrationv1.AddToScheme,
		certmanagerv1.AddToScheme, v1alpha1.AddToScheme)
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
		Metrics:                 metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:  "0", // process.ServeHealth serves them
		PprofBindAddress:        options.ProfilingAddress,
		GracefulShutdownTimeout: &options.ShutdownTimeout,
		WebhookServer:           server,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the process: %w", process.ExplainMissingCRDs(err))
	}
	return manager, nil
}
