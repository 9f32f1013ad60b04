package clusterstate

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// PolicySet holds all PluginPolicies at one point in time.
type PolicySet struct {
	Items []v1alpha1.PluginPolicy
	// Valid holds the compiled policies by name. Errors says, by name, why the other policies have no effect.
	Valid  map[string]*policy.Policy
	Errors map[string]error

	index policy.Index
}

// ReadPolicies reads all PluginPolicies.
func ReadPolicies(ctx context.Context, reader client.Reader) (*PolicySet, error) {
	var list v1alpha1.PluginPolicyList
	if err := reader.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("read the PluginPolicies: %w", err)
	}
	set := &PolicySet{Items: list.Items, Valid: map[string]*policy.Policy{}, Errors: map[string]error{}}
	for i := range list.Items {
		item := &list.Items[i]
		compiled, err := policy.Compile(item)
		if err != nil {
			set.Errors[item.Name] = err
			continue
		}
		set.Valid[item.Name] = compiled
		set.index.Put(compiled)
	}
	return set, nil
}

// Of returns the valid policies that select a namespace with these labels, sorted by name. Do not change them.
func (s *PolicySet) Of(namespace string, labels map[string]string) []*policy.Policy {
	return s.index.Of(namespace, labels)
}

// HavePlugins reports whether a valid policy gives plugins to pods.
func (s *PolicySet) HavePlugins() bool {
	for _, valid := range s.Valid {
		if len(valid.Plugins) > 0 {
			return true
		}
	}
	return false
}

// FollowPolicies keeps the valid PluginPolicies of the cluster in an index. The function that it returns reports
// whether the index holds the policies that existed when the informer started.
func FollowPolicies(
	ctx context.Context, informers cache.Informers, index *policy.Index, log logr.Logger,
) (synced func() bool, err error) {
	informer, err := informers.GetInformer(ctx, &v1alpha1.PluginPolicy{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch PluginPolicies: %w", err)
	}
	handler := policyHandler{index, log}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    handler.put,
		UpdateFunc: handler.update,
		DeleteFunc: handler.delete,
	})
	if err != nil {
		return nil, fmt.Errorf("watch PluginPolicies: %w", err)
	}
	return registration.HasSynced, nil
}

// policyHandler applies the events of an informer to an index.
type policyHandler struct {
	index *policy.Index
	log   logr.Logger
}

func (h policyHandler) put(object any) {
	item, ok := object.(*v1alpha1.PluginPolicy)
	if !ok {
		return
	}
	compiled, err := policy.Compile(item)
	if err != nil {
		h.log.Error(err, "A PluginPolicy is invalid and has no effect", "policy", item.Name)
		h.index.Delete(item.Name)
		return
	}
	h.index.Put(compiled)
}

// update ignores changes of the status: they are frequent, and a policy does not depend on its status. A policy that
// was deleted and created again while the watch was interrupted also arrives as an update. It can have the same
// generation, but it has another UID.
func (h policyHandler) update(before, after any) {
	old, okOld := before.(*v1alpha1.PluginPolicy)
	item, okNew := after.(*v1alpha1.PluginPolicy)
	if okOld && okNew && old.UID == item.UID && old.Generation == item.Generation {
		return
	}
	h.put(after)
}

func (h policyHandler) delete(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if item, ok := object.(*v1alpha1.PluginPolicy); ok {
		h.index.Delete(item.Name)
	}
}
