package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/librarycontroller"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/policycontroller"
)

// policies registers what policies need, and has the handlers ask them. It says when all are known.
func policies(
	ctx context.Context, manager ctrl.Manager, options Options, sources *clusterstate.Sources,
	pods *clusterstate.InjectedPods,
) (*admission.Policies, func() bool, error) {
	if !options.Policies {
		return nil, func() bool { return true }, nil
	}
	log := ctrl.Log.WithName("policies")
	index := &policy.Index{}
	synced, err := clusterstate.FollowPolicies(ctx, manager.GetCache(), index, log)
	if err != nil {
		return nil, nil, fmt.Errorf("watch PluginPolicies: %w", explainMissingCRDs(err))
	}
	if _, err := manager.GetCache().GetInformer(ctx, &corev1.Namespace{}, cache.BlockUntilSynced(false)); err != nil {
		return nil, nil, fmt.Errorf("watch namespaces: %w", err)
	}
	replica, err := os.Hostname() // a pod's name
	if err != nil {
		return nil, nil, fmt.Errorf("name this replica: %w", err)
	}
	counted, err := policycontroller.NewMetrics(metrics.Registry)
	if err := errors.Join(err, librarycontroller.RegisterMetrics(metrics.Registry, pods)); err != nil {
		return nil, nil, err
	}
	denials := &policycontroller.DenialReporter{Replica: replica, Client: manager.GetClient(), Now: time.Now}
	ruling := &admission.Policies{
		Index: index, Labels: (&clusterstate.Namespaces{Cached: manager.GetClient(), Live: manager.GetAPIReader()}).Labels,
		Report: func(effects policy.Effects, owner v1alpha1.WorkloadReference) {
			counted.Count(effects)
			denials.Record(effects.Policies(policy.Denied, policy.WouldDeny), owner)
		},
	}
	library := &librarycontroller.Controller{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Pods: pods, Policies: ruling, Sources: sources,
		Events: events.NewRecorder(manager.GetEventRecorder("kongdao")), Log: ctrl.Log.WithName("library"), Now: time.Now,
		Retention: options.CopyRetention,
	}
	err = errors.Join(manager.Add(denials), library.SetUp(manager), (&policycontroller.Controller{
		Client: manager.GetClient(), Live: manager.GetAPIReader(),
		WebhookConfiguration: options.WebhookConfiguration, KeepCABundle: options.CertProvider != providerFiles,
		Metrics: counted, Log: log, Now: time.Now,
	}).SetUp(manager))
	return ruling, synced, err
}
