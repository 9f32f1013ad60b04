package main

import (
	"context"
	"errors"
	"net/http"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/scope"
)

// process is what the parts of the process share.
type process struct {
	manager ctrl.Manager
	options Options
	scope   scope.Scope
	events  *events.Recorder
	// cluster is what the handlers read. The features add their parts to it.
	cluster *admission.Cluster
	// injectedPods is nil if no controller runs.
	injectedPods   *clusterstate.InjectedPods
	policiesSynced func() bool
}

// register adds the certificate, the handlers, the controllers and the probes to the manager.
func register(
	ctx context.Context, manager ctrl.Manager, options Options, certificate certs.Provider, draining *drainer,
) error {
	if err := certificate.SetUp(manager); err != nil {
		return err
	}
	p, err := newProcess(ctx, manager, options)
	if err != nil {
		return err
	}
	if options.Migrations {
		if err := p.addMigrations(ctx); err != nil {
			return err
		}
	}
	if options.Policies {
		if err := p.addPolicies(ctx); err != nil {
			return err
		}
	}
	if err := p.addHandlers(draining); err != nil {
		return err
	}
	return serveHealth(ctx, manager, options.HealthAddress, []readinessCheck{
		{"certificate", func(*http.Request) error { return certificate.Ready() }},
		{"sources", checkSynced(p.cluster.Sources.Synced, "not all plugin sources have been read yet")},
		{"pods", checkSynced(p.podsSynced, "not all injected pods have been read yet")},
		{"policies", checkSynced(p.policiesSynced, "not all PluginPolicies have been read yet")},
		{"webhook", manager.GetWebhookServer().StartedChecker()},
	})
}

func newProcess(ctx context.Context, manager ctrl.Manager, options Options) (*process, error) {
	inScope, err := options.scope()
	if err != nil {
		return nil, err
	}
	sources, err := clusterstate.NewSources(ctx, manager.GetCache())
	if err != nil {
		return nil, err
	}
	p := &process{
		manager: manager, options: options, scope: inScope,
		events:         events.NewRecorder(manager.GetEventRecorder("kongdao")),
		cluster:        &admission.Cluster{Sources: sources, Live: manager.GetAPIReader()},
		policiesSynced: func() bool { return true },
	}
	if options.needsLeader() != "" {
		if p.injectedPods, err = clusterstate.NewInjectedPods(ctx, manager.GetCache()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// podsSynced reports whether the index of injected pods is complete. A replica without it could not lead.
func (p *process) podsSynced() bool { return p.injectedPods == nil || p.injectedPods.Synced() }

// addHandlers adds the admission handlers to the webhook server.
func (p *process) addHandlers(draining *drainer) error {
	admissionMetrics, err := admission.NewMetrics(metrics.Registry)
	if err != nil {
		return err
	}
	pods := &admission.Pods{
		Cluster: p.cluster, Metrics: admissionMetrics, Events: p.events, Log: ctrl.Log.WithName("pods"),
	}
	workloads := &admission.Workloads{
		Cluster: p.cluster, Metrics: admissionMetrics, Log: ctrl.Log.WithName("workloads"),
	}
	server := p.manager.GetWebhookServer()
	server.Register("/mutate/pods", draining.wrap(pods))
	server.Register("/mutate/workloads", draining.wrap(workloads))
	return nil
}

// checkSynced returns a check that fails with a message until a cache is synced.
func checkSynced(synced func() bool, message string) healthz.Checker {
	return func(*http.Request) error {
		if !synced() {
			return errors.New(message)
		}
		return nil
	}
}
