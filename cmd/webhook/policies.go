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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/librarycontroller"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/policycontroller"
)

// addPolicies makes the handlers apply policies, and adds the controllers for policies and libraries.
func (p *process) addPolicies(ctx context.Context) error {
	log := ctrl.Log.WithName("policies")
	index := &policy.Index{}
	var err error
	if p.policiesSynced, err = clusterstate.FollowPolicies(ctx, p.manager.GetCache(), index, log); err != nil {
		return explainMissingCRDs(err)
	}
	if _, err := p.manager.GetCache().GetInformer(ctx, &corev1.Namespace{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	policyMetrics, err := policycontroller.NewMetrics(metrics.Registry)
	if err := errors.Join(err, librarycontroller.RegisterMetrics(metrics.Registry, p.injectedPods)); err != nil {
		return err
	}
	hostname, err := os.Hostname() // the name of the pod
	if err != nil {
		return fmt.Errorf("find the name of this replica: %w", err)
	}
	denials := &policycontroller.DenialReporter{Replica: hostname, Client: p.manager.GetClient(), Now: time.Now}
	policies := &admission.Policies{
		Index:      index,
		Namespaces: &clusterstate.Namespaces{Cached: p.manager.GetClient(), Live: admission.LiveReader{Reader: p.manager.GetAPIReader()}},
		Effects:    effectsRecorder{metrics: policyMetrics, denials: denials},
	}
	p.cluster.Policies = policies
	return errors.Join(p.manager.Add(denials), p.addPolicyControllers(policies, policyMetrics))
}

// addPolicyControllers adds the controllers for policies and libraries.
func (p *process) addPolicyControllers(policies *admission.Policies, policyMetrics *policycontroller.Metrics) error {
	library := &librarycontroller.Controller{
		Client:     p.manager.GetClient(),
		Live:       p.manager.GetAPIReader(),
		Pods:       p.injectedPods,
		Policies:   policies,
		Exclusions: p.exclusions(),
		Sources:    p.cluster.Sources,
		Events:     p.events,
		Log:        ctrl.Log.WithName("library"),
		Now:        time.Now,
		Retention:  p.options.CopyRetention,
	}
	live, err := client.NewWithWatch(p.manager.GetConfig(), client.Options{
		HTTPClient: p.manager.GetHTTPClient(), Scheme: p.manager.GetScheme(), Mapper: p.manager.GetRESTMapper(),
	})
	if err != nil {
		return fmt.Errorf("watch the pods that policies select: %w", err)
	}
	controller := &policycontroller.Controller{
		Client:               p.manager.GetClient(),
		Live:                 p.manager.GetAPIReader(),
		Pods:                 clusterstate.NewKongPods(live),
		Scope:                p.scope,
		WebhookConfiguration: p.options.WebhookConfiguration,
		KeepCABundle:         p.options.CertProvider != providerFiles,
		Metrics:              policyMetrics,
		Log:                  ctrl.Log.WithName("policies"),
		Now:                  time.Now,
	}
	return errors.Join(library.SetUp(p.manager), controller.SetUp(p.manager))
}

// effectsRecorder records the effects of policies on pods in the metrics, and denials in the status of policies.
type effectsRecorder struct {
	metrics *policycontroller.Metrics
	denials *policycontroller.DenialReporter
}

func (r effectsRecorder) RecordEffects(effects policy.Effects, owner v1alpha1.WorkloadReference) {
	r.metrics.Count(effects)
	r.denials.Record(effects.Policies(policy.Denied, policy.WouldDeny), owner)
}
