package policycontroller

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// Follow keeps an index of the cluster's policies, and reports whether it holds
// those that there were at the start. A policy that cannot be read decides
// nothing: its status says so.
func Follow(ctx context.Context, followed cache.Informers, index *policy.Index, log logr.Logger) (synced func() bool, err error) {
	informer, err := followed.GetInformer(ctx, &v1alpha1.PluginPolicy{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch PluginPolicies: %w", err)
	}
	put := func(object any) {
		read, ok := object.(*v1alpha1.PluginPolicy)
		if !ok {
			return
		}
		compiled, err := policy.Compile(read)
		if err != nil {
			log.Error(err, "a policy decides nothing", "policy", read.Name)
			index.Delete(read.Name)
			return
		}
		index.Put(compiled)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: put,
		UpdateFunc: func(before, now any) {
			// Its status changes often, and decides nothing.
			old, okOld := before.(*v1alpha1.PluginPolicy)
			read, okNow := now.(*v1alpha1.PluginPolicy)
			if !okOld || !okNow || old.Generation != read.Generation {
				put(now)
			}
		},
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			if read, ok := object.(*v1alpha1.PluginPolicy); ok {
				index.Delete(read.Name)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch PluginPolicies: %w", err)
	}
	return registration.HasSynced, nil
}
