package policycontroller

import (
	"maps"
	"slices"
	"time"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policyeffects"
)

// recentDenials returns the entries that are not older than DenialTTL.
func recentDenials(all []v1alpha1.PolicyDenials, now time.Time) []v1alpha1.PolicyDenials {
	return slices.DeleteFunc(slices.Clone(all), func(entry v1alpha1.PolicyDenials) bool {
		return now.Sub(entry.Time.Time) > policyeffects.DenialTTL
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
	return slices.SortedFunc(maps.Keys(set), v1alpha1.WorkloadReference.Compare)
}
