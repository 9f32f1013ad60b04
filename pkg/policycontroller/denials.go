package policycontroller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// kept is how long a denial is told of: a controller that wants a pod tries
// again sooner.
const kept = time.Hour

// mostDenied is how many workloads a replica tells of.
const mostDenied = 50

// Denials are the workloads whose pods this replica has denied for policies.
// An API server may call one replica for hours, so each tells the others, in
// the policies' statuses.
type Denials struct {
	// Replica names this one.
	Replica string
	Client  client.Client
	Now     func() time.Time

	mutex sync.Mutex
	// seen is when a workload was denied last, by policy.
	seen map[string]map[v1alpha1.WorkloadReference]time.Time
	// dirty are the policies of which others have not been told.
	dirty map[string]bool
}

// Note notes that policies deny a pod of an owner's.
func (r *Denials) Note(policies []string, owner v1alpha1.WorkloadReference) {
	if owner == (v1alpha1.WorkloadReference{}) {
		return // a person reads the answer
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.seen == nil {
		r.seen, r.dirty = map[string]map[v1alpha1.WorkloadReference]time.Time{}, map[string]bool{}
	}
	for _, name := range policies {
		if r.seen[name] == nil {
			r.seen[name] = map[v1alpha1.WorkloadReference]time.Time{}
		}
		before, there := r.seen[name][owner]
		if !there && len(r.seen[name]) >= mostDenied {
			continue
		}
		if !there || r.Now().Sub(before) > kept/4 {
			r.dirty[name] = true
		}
		r.seen[name][owner] = r.Now()
	}
}

// tellEvery is how often others are told.
const tellEvery = 5 * time.Second

// Start tells the others until ctx ends. It is a manager's Runnable.
func (r *Denials) Start(ctx context.Context) error {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			_ = r.tell(ctx) // what was not told is told the next time
		}
	}
}

// NeedLeaderElection is false, for every replica denies.
func (r *Denials) NeedLeaderElection() bool { return false }

func (r *Denials) tell(ctx context.Context) error {
	r.mutex.Lock()
	told := map[string][]any{}
	for name := range r.dirty {
		maps.DeleteFunc(r.seen[name], func(_ v1alpha1.WorkloadReference, at time.Time) bool { return r.Now().Sub(at) > kept })
		told[name] = []any{}
		for _, workload := range sortedWorkloads(r.seen[name]) {
			told[name] = append(told[name], map[string]any{"namespace": workload.Namespace, "kind": workload.Kind, "name": workload.Name})
		}
	}
	clear(r.dirty)
	r.mutex.Unlock()
	var failed []error
	for name, workloads := range told {
		entry := map[string]any{"replica": r.Replica, "time": r.Now().UTC().Format(time.RFC3339), "workloads": workloads}
		patch := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.GroupVersion().String(), "kind": "PluginPolicy", "metadata": map[string]any{"name": name},
			"status": map[string]any{"denials": []any{entry}},
		}}
		err := r.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), client.FieldOwner("kongdao-"+r.Replica), client.ForceOwnership)
		if err != nil && !apierrors.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("tell of denials for policy %q: %w", name, err))
			r.mutex.Lock()
			r.dirty[name] = true
			r.mutex.Unlock()
		}
	}
	return errors.Join(failed...)
}

// recent are those that are not too old to be told of.
func (r *Denials) recent(all []v1alpha1.PolicyDenials) []v1alpha1.PolicyDenials {
	return slices.DeleteFunc(slices.Clone(all), func(one v1alpha1.PolicyDenials) bool {
		return r.Now().Sub(one.Time.Time) > kept
	})
}

// deniedWorkloads returns the workloads that at least one replica reports, sorted.
func deniedWorkloads(all []v1alpha1.PolicyDenials) []v1alpha1.WorkloadReference {
	workloads := map[v1alpha1.WorkloadReference]bool{}
	for _, one := range all {
		for _, workload := range one.Workloads {
			workloads[workload] = true
		}
	}
	return sortedWorkloads(workloads)
}

func sortedWorkloads[V any](set map[v1alpha1.WorkloadReference]V) []v1alpha1.WorkloadReference {
	return slices.SortedFunc(maps.Keys(set), func(a, b v1alpha1.WorkloadReference) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
