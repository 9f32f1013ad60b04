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

const (
	// denialTTL is how long a status lists a denied workload. A controller that needs a pod tries again sooner.
	denialTTL = time.Hour
	// denialRefreshInterval is the shortest time between two reports of the same workload.
	denialRefreshInterval = denialTTL / 4
	// denialReportInterval is the time between two reports of a replica.
	denialReportInterval = 5 * time.Second
	// maxDeniedWorkloads limits the workloads that a replica reports for a policy.
	maxDeniedWorkloads = 50
)

// DenialReporter writes the workloads whose pods this replica denied into the statuses of the policies. Each replica
// has its own entry there, because an API server may call the same replica for hours.
type DenialReporter struct {
	// Replica is the name of this replica.
	Replica string
	Client  client.Client
	Now     func() time.Time

	mutex sync.Mutex
	// lastDenied is when a workload was last denied, by the name of the policy.
	lastDenied map[string]map[v1alpha1.WorkloadReference]time.Time
	// unreported holds the names of the policies whose entry must be written.
	unreported map[string]bool
}

// Record records that policies denied a pod, or would have denied it with mode Enforce. Pods without a controller are
// not recorded, because the person who creates them sees the answer.
func (r *DenialReporter) Record(policies []string, owner v1alpha1.WorkloadReference) {
	if owner == (v1alpha1.WorkloadReference{}) {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.lastDenied == nil {
		r.lastDenied, r.unreported = map[string]map[v1alpha1.WorkloadReference]time.Time{}, map[string]bool{}
	}
	for _, name := range policies {
		if r.lastDenied[name] == nil {
			r.lastDenied[name] = map[v1alpha1.WorkloadReference]time.Time{}
		}
		last, known := r.lastDenied[name][owner]
		if !known && len(r.lastDenied[name]) >= maxDeniedWorkloads {
			continue
		}
		if !known || r.Now().Sub(last) > denialRefreshInterval {
			r.unreported[name] = true
		}
		r.lastDenied[name][owner] = r.Now()
	}
}

// Start reports denials until ctx ends. It implements the manager's Runnable.
func (r *DenialReporter) Start(ctx context.Context) error {
	ticker := time.NewTicker(denialReportInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			_ = r.report(ctx) // what failed stays unreported, and the next report includes it
		}
	}
}

// NeedLeaderElection returns false: every replica denies pods.
func (r *DenialReporter) NeedLeaderElection() bool { return false }

func (r *DenialReporter) report(ctx context.Context) error {
	var failed []error
	for name, workloads := range r.takeUnreported() {
		if err := r.apply(ctx, name, workloads); err != nil && !apierrors.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("report the denials of PluginPolicy %q: %w", name, err))
			r.mutex.Lock()
			r.unreported[name] = true
			r.mutex.Unlock()
		}
	}
	return errors.Join(failed...)
}

// takeUnreported returns the workloads of the unreported policies, and forgets those that are too old.
func (r *DenialReporter) takeUnreported() map[string][]v1alpha1.WorkloadReference {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	taken := map[string][]v1alpha1.WorkloadReference{}
	for name := range r.unreported {
		maps.DeleteFunc(r.lastDenied[name], func(_ v1alpha1.WorkloadReference, last time.Time) bool {
			return r.Now().Sub(last) > denialTTL
		})
		taken[name] = sortedWorkloads(r.lastDenied[name])
	}
	clear(r.unreported)
	return taken
}

// apply writes this replica's entry into the status of a policy. Server-side apply keeps the entries of other replicas.
func (r *DenialReporter) apply(ctx context.Context, name string, workloads []v1alpha1.WorkloadReference) error {
	list := []any{}
	for _, workload := range workloads {
		list = append(list, map[string]any{"namespace": workload.Namespace, "kind": workload.Kind, "name": workload.Name})
	}
	entry := map[string]any{"replica": r.Replica, "time": r.Now().UTC().Format(time.RFC3339), "workloads": list}
	patch := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion().String(), "kind": "PluginPolicy", "metadata": map[string]any{"name": name},
		"status": map[string]any{"denials": []any{entry}},
	}}
	return r.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch),
		client.FieldOwner("kongdao-"+r.Replica), client.ForceOwnership)
}

// recentDenials returns the entries that are not older than denialTTL.
func recentDenials(all []v1alpha1.PolicyDenials, now time.Time) []v1alpha1.PolicyDenials {
	return slices.DeleteFunc(slices.Clone(all), func(entry v1alpha1.PolicyDenials) bool {
		return now.Sub(entry.Time.Time) > denialTTL
	})
}

// deniedWorkloads returns the workloads that at least one replica reports, sorted.
func deniedWorkloads(all []v1alpha1.PolicyDenials) []v1alpha1.WorkloadReference {
	workloads := map[v1alpha1.WorkloadReference]bool{}
	for _, entry := range all {
		for _, workload := range entry.Workloads {
			workloads[workload] = true
		}
	}
	return sortedWorkloads(workloads)
}

// sortedWorkloads returns the keys of a map, sorted by namespace, kind and name.
func sortedWorkloads[V any](set map[v1alpha1.WorkloadReference]V) []v1alpha1.WorkloadReference {
	return slices.SortedFunc(maps.Keys(set), func(a, b v1alpha1.WorkloadReference) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
