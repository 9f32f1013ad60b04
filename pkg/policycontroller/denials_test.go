package policycontroller

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policyeffects"
)

func replicaSet(name string) v1alpha1.WorkloadReference {
	return v1alpha1.WorkloadReference{Namespace: "shop", Kind: "ReplicaSet", Name: name}
}

// names returns the names of workloads.
func names(workloads []v1alpha1.WorkloadReference) []string {
	all := []string{}
	for _, workload := range workloads {
		all = append(all, workload.Name)
	}
	return all
}

// TestRecentDenials proves that old reports do not count, and that a workload counts once if two replicas report it.
func TestRecentDenials(t *testing.T) {
	now := time.Unix(10_000, 0)
	entry := func(replica string, age time.Duration, workloads ...string) v1alpha1.PolicyDenials {
		denials := v1alpha1.PolicyDenials{Replica: replica, Time: metav1.NewTime(now.Add(-age))}
		for _, name := range workloads {
			denials.Workloads = append(denials.Workloads, replicaSet(name))
		}
		return denials
	}
	all := []v1alpha1.PolicyDenials{
		entry("new", 0, "b", "a"), entry("recent", policyeffects.DenialTTL, "a"),
		entry("old", policyeffects.DenialTTL+time.Second, "c"),
	}
	recent := recentDenials(all, now)
	if len(recent) != 2 || len(all) != 3 {
		t.Errorf("%d of %d reports are recent, want 2 of 3", len(recent), len(all))
	}
	if got := names(deniedWorkloads(recent)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the denied workloads are %q, want a and b", got)
	}
}
