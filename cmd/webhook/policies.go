package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/policyeffects"
	"kongdao.io/kongdao/pkg/process"
)

// addPolicies makes the handlers apply policies. The returned function reports whether all policies are read.
func addPolicies(
	ctx context.Context, manager ctrl.Manager, cluster *admission.Cluster,
) (synced func() bool, err error) {
	index := &policy.Index{}
	synced, err = clusterstate.FollowPolicies(ctx, manager.GetCache(), index, ctrl.Log.WithName("policies"))
	if err != nil {
		return nil, process.ExplainMissingCRDs(err)
	}
	if _, err := manager.GetCache().GetInformer(ctx, &corev1.Namespace{}, cache.BlockUntilSynced(false)); err != nil {
		return nil, fmt.Errorf("watch namespaces: %w", err)
	}
	hostname, err := os.Hostname() // the name of the pod
	if err != nil {
		return nil, fmt.Errorf("find the name of this replica: %w", err)
	}
	effects, err := policyeffects.NewRecorder(metrics.Registry, hostname, manager.GetClient(), time.Now)
	if err != nil {
		return nil, err
	}
	cluster.Effects = effects
	cluster.Policies = &clusterstate.NamespacePolicies{
		Index: index,
		Namespaces: &clusterstate.Namespaces{
			Cached: manager.GetClient(), Live: admission.LiveReader{Reader: manager.GetAPIReader()},
		},
	}
	return synced, manager.Add(effects)
}
