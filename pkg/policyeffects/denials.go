package policyeffects

import (
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
	// DenialTTL is how long a status lists a denied workload. A controller that needs a pod tries again sooner.
	DenialTTL = time.Hour
	// denialRefreshInterval is the shortest time between two reports of the same workload.
	denialRefreshInterval = DenialTTL / 4
	// denialReportInterval is the time between two reports of a replica.
	denialReportInterval = 5 * time.Second
	// maxDeniedWorkloads limits the workloads that a replica reports for a policy.
	maxDeniedWorkloads = 50
)

// denialReporter writes the workloads whose pods this replica denied into the statuses of the policies. Each replica
// has its own entry there, because an API server may call the same replica for hours.
type denialReporter struct {
	replica string
	client  client.Client
	now     func() time.Time

	mutex sync.Mutex
	// lastDenied is when a workload was last denied, by the name of the policy.
	lastDenied map[string]map[v1alpha1.WorkloadReference]time.Time
	// unreported holds the names of the policies whose entry must be written.
	unreported map[string]bool
}

// record records that policies denied a pod, or would have denied it with mode Enforce. Pods without a controller are
// not recorded, because the person who creates them sees the answer.
func (r *denialReporter) record(policies []string, owner v1alpha1.WorkloadReference) {
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
		if !known || r.now().Sub(last) > denialRefreshInterval {
			r.unreported[name] = true
		}
		r.lastDenied[name][owner] = r.now()
	}
}

// run reports denials until ctx ends.
func (r *denialReporter) run(ctx context.Context) {
	ticker := time.NewTicker(denialReportInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = r.report(ctx) // what failed stays unreported, and the next report includes it
		}
	}
}

func (r *denialReporter) report(ctx context.Context) error {
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
func (r *denialReporter) takeUnreported() map[string][]v1alpha1.WorkloadReference {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	taken := map[string][]v1alpha1.WorkloadReference{}
	for name := range r.unreported {
		maps.DeleteFunc(r.lastDenied[name], func(_ v1alpha1.WorkloadReference, last time.Time) bool {
			return r.now().Sub(last) > DenialTTL
		})
		taken[name] = slices.SortedFunc(maps.Keys(r.lastDenied[name]), v1alpha1.WorkloadReference.Compare)
	}
	clear(r.unreported)
	return taken
}

// apply writes this replica's entry into the status of a policy. Server-side apply keeps the entries of other replicas.
func (r *denialReporter) apply(ctx context.Context, name string, workloads []v1alpha1.WorkloadReference) error {
	list := []any{}
	for _, workload := range workloads {
		list = append(list, map[string]any{"namespace": workload.Namespace, "kind": workload.Kind, "name": workload.Name})
	}
	entry := map[string]any{"replica": r.replica, "time": r.now().UTC().Format(time.RFC3339), "workloads": list}
	patch := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion().String(), "kind": "PluginPolicy", "metadata": map[string]any{"name": name},
		"status": map[string]any{"denials": []any{entry}},
	}}
	return r.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch),
		client.FieldOwner("kongdao-"+r.replica), client.ForceOwnership)
}
