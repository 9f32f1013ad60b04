package main

import (
	"context"
	"net/http"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/process"
)

// register adds the certificate, the handlers and the probes to the manager.
func register(
	ctx context.Context, manager ctrl.Manager, options Options, certificate certs.Provider, draining *drainer,
) error {
	if err := certificate.SetUp(manager); err != nil {
		return err
	}
	sources, err := clusterstate.NewSources(ctx, manager.GetCache())
	if err != nil {
		return err
	}
	if err := manager.Add(clusterstate.SourceRestorer{
		Sources: sources, Live: manager.GetAPIReader(), Log: ctrl.Log.WithName("sources"),
	}); err != nil {
		return err
	}
	cluster := &admission.Cluster{Sources: sources, Live: manager.GetAPIReader()}
	if options.Migrations {
		migrations, err := clusterstate.NewMigrations(ctx, manager.GetCache(), manager.GetClient())
		if err != nil {
			return process.ExplainMissingCRDs(err)
		}
		cluster.Migrations, cluster.RequiresMigrations = migrations, options.RequireMigrations
	}
	cluster.RunsRollouts = options.Rollouts
	policiesSynced := func() bool { return true }
	if options.Policies {
		if policiesSynced, err = addPolicies(ctx, manager, cluster); err != nil {
			return err
		}
	}
	if err := addHandlers(manager, cluster, draining); err != nil {
		return err
	}
	return process.ServeHealth(ctx, manager, options.HealthAddress, []process.ReadinessCheck{
		{Name: "certificate", Check: func(*http.Request) error { return certificate.Ready() }},
		{Name: "sources", Check: process.CheckSynced(sources.Synced, "not all plugin sources have been read yet")},
		{Name: "policies", Check: process.CheckSynced(policiesSynced, "not all PluginPolicies have been read yet")},
		{Name: "webhook", Check: manager.GetWebhookServer().StartedChecker()},
	})
}

// addHandlers adds the admission handlers to the webhook server.
func addHandlers(manager ctrl.Manager, cluster *admission.Cluster, draining *drainer) error {
	admissionMetrics, err := admission.NewMetrics(metrics.Registry)
	if err != nil {
		return err
	}
	pods := &admission.Pods{
		Cluster: cluster, Metrics: admissionMetrics, Log: ctrl.Log.WithName("pods"),
		Events: events.NewRecorder(manager.GetEventRecorder("kongdao")),
	}
	workloads := &admission.Workloads{Cluster: cluster, Metrics: admissionMetrics, Log: ctrl.Log.WithName("workloads")}
	sources := &admission.Sources{Cluster: cluster, Metrics: admissionMetrics, Log: ctrl.Log.WithName("sources")}
	server := manager.GetWebhookServer()
	server.Register("/mutate/pods", draining.wrap(pods))
	server.Register("/mutate/workloads", draining.wrap(workloads))
	server.Register("/validate/sources", draining.wrap(sources))
	return nil
}
