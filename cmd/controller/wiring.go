package main

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/process"
	"kongdao.io/kongdao/pkg/rolloutcontroller"
	"kongdao.io/kongdao/pkg/scope"
)

// shared is what the controllers share.
type shared struct {
	manager ctrl.Manager
	options Options
	scope   scope.Scope
	events  *events.Recorder
	sources *clusterstate.Sources
	pods    *clusterstate.InjectedPods
	// rollouts is nil if automatic rollouts are disabled.
	rollouts *rolloutcontroller.Controller
	// policies is nil if PluginPolicies are disabled.
	policies *clusterstate.NamespacePolicies
}

// register adds the controllers and the probes to the manager.
func register(ctx context.Context, manager ctrl.Manager, options Options) error {
	s, err := newShared(ctx, manager, options)
	if err != nil {
		return err
	}
	if options.Migrations {
		if err := s.addMigrations(); err != nil {
			return process.ExplainMissingCRDs(err)
		}
	}
	policiesSynced := func() bool { return true }
	if options.Policies {
		if policiesSynced, err = s.addPolicies(ctx); err != nil {
			return process.ExplainMissingCRDs(err)
		}
	}
	if err := s.addUninjected(); err != nil {
		return err
	}
	if options.Prune {
		if err := s.addPruner(); err != nil {
			return err
		}
	}
	if options.Rollouts {
		if err := s.addRollouts(); err != nil {
			return err
		}
	}
	// A replica that has not read the cluster could not lead.
	return process.ServeHealth(ctx, manager, options.HealthAddress, []process.ReadinessCheck{
		{Name: "sources", Check: process.CheckSynced(s.sources.Synced, "not all plugin sources have been read yet")},
		{Name: "pods", Check: process.CheckSynced(s.pods.Synced, "not all injected pods have been read yet")},
		{Name: "policies", Check: process.CheckSynced(policiesSynced, "not all PluginPolicies have been read yet")},
	})
}

func newShared(ctx context.Context, manager ctrl.Manager, options Options) (*shared, error) {
	inScope, err := options.scope()
	if err != nil {
		return nil, err
	}
	sources, err := clusterstate.NewSources(ctx, manager.GetCache())
	if err != nil {
		return nil, err
	}
	if err := manager.Add(clusterstate.SourceRestorer{
		Sources: sources, Live: manager.GetAPIReader(), Log: ctrl.Log.WithName("sources"),
	}); err != nil {
		return nil, err
	}
	pods, err := clusterstate.NewInjectedPods(ctx, manager.GetCache())
	if err != nil {
		return nil, err
	}
	return &shared{
		manager: manager, options: options, scope: inScope,
		events:  events.NewRecorder(manager.GetEventRecorder("kongdao")),
		sources: sources, pods: pods,
	}, nil
}

// exclusions returns the namespaces in which the controllers do nothing.
func (s *shared) exclusions() clusterstate.Exclusions {
	return clusterstate.Exclusions{
		Scope:      s.scope,
		Namespaces: &clusterstate.Namespaces{Cached: s.manager.GetClient(), Live: s.manager.GetAPIReader()},
	}
}
