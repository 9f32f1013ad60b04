package main

import (
	"context"
	"fmt"
	"os"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/memorylimit"
	"kongdao.io/kongdao/pkg/process"
)

// serve runs the controllers until ctx ends.
func serve(ctx context.Context, options Options) error {
	if err := process.SetLogger(options.LogLevel); err != nil {
		return err
	}
	if _, err := memorylimit.Set(os.Getenv); err != nil {
		return err
	}
	config, err := process.RESTConfig(options.Kubeconfig, "kongdao-controller/"+version)
	if err != nil {
		return err
	}
	manager, err := newManager(config, options)
	if err != nil {
		return err
	}
	if err := register(ctx, manager, options); err != nil {
		return err
	}
	ctrl.Log.Info("starting", "version", version, "apiServer", config.Host)
	if err := manager.Start(ctx); err != nil {
		return fmt.Errorf("run the controllers: %w", err)
	}
	return nil
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

func newManager(config *rest.Config, options Options) (ctrl.Manager, error) {
	scheme, err := process.NewScheme(
		appsv1.AddToScheme, corev1.AddToScheme, admissionregistrationv1.AddToScheme, batchv1.AddToScheme,
		v1alpha1.AddToScheme)
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
		LeaderElection:          true,
		LeaderElectionID:        leaseName,
		LeaderElectionNamespace: options.Namespace,
		LeaseDuration:           new(leaseDuration),
		RenewDeadline:           new(renewDeadline),
		RetryPeriod:             new(retryPeriod),
		// Safe because the process exits as soon as the manager has stopped.
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        "0", // process.ServeHealth serves them
		PprofBindAddress:              options.ProfilingAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the process: %w", process.ExplainMissingCRDs(err))
	}
	return manager, nil
}
