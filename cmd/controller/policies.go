package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/librarycontroller"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/policycontroller"
)

// addPolicies adds the controllers for policies and libraries. The returned function reports whether all policies are
// read.
func (s *shared) addPolicies(ctx context.Context) (synced func() bool, err error) {
	index := &policy.Index{}
	log := ctrl.Log.WithName("policies")
	if synced, err = clusterstate.FollowPolicies(ctx, s.manager.GetCache(), index, log); err != nil {
		return nil, err
	}
	if _, err := s.manager.GetCache().GetInformer(ctx, &corev1.Namespace{}, cache.BlockUntilSynced(false)); err != nil {
		return nil, fmt.Errorf("watch namespaces: %w", err)
	}
	s.policies = &clusterstate.NamespacePolicies{Index: index, Namespaces: s.exclusions().Namespaces}
	return synced, errors.Join(s.addLibraryController(), s.addPolicyController())
}

func (s *shared) addLibraryController() error {
	if err := librarycontroller.RegisterMetrics(metrics.Registry, s.pods); err != nil {
		return err
	}
	controller := &librarycontroller.Controller{
		Client:     s.manager.GetClient(),
		Live:       s.manager.GetAPIReader(),
		Pods:       s.pods,
		Policies:   s.policies,
		Exclusions: s.exclusions(),
		Sources:    s.sources,
		Events:     s.events,
		Log:        ctrl.Log.WithName("library"),
		Now:        time.Now,
		Retention:  s.options.CopyRetention,
	}
	return controller.SetUp(s.manager)
}

func (s *shared) addPolicyController() error {
	policyMetrics, err := policycontroller.NewMetrics(metrics.Registry)
	if err != nil {
		return err
	}
	live, err := s.watchingClient()
	if err != nil {
		return err
	}
	controller := &policycontroller.Controller{
		Client:               s.manager.GetClient(),
		Live:                 s.manager.GetAPIReader(),
		Pods:                 clusterstate.NewKongPods(live),
		Scope:                s.scope,
		WebhookConfiguration: s.options.WebhookConfiguration,
		KeepCABundle:         s.options.KeepCABundle,
		Rollouts:             s.rolloutReports(),
		Metrics:              policyMetrics,
		Events:               s.events,
		Log:                  ctrl.Log.WithName("policies"),
		Now:                  time.Now,
	}
	return controller.SetUp(s.manager)
}
