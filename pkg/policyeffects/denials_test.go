package policyeffects

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
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

// TestDenialsAreReportedOnce proves when a replica reports a denied workload, and when it forgets one.
func TestDenialsAreReportedOnce(t *testing.T) {
	now := time.Unix(0, 0)
	reporter := &denialReporter{now: func() time.Time { return now }}
	want := func(when string, want map[string][]string) {
		t.Helper()
		got := reporter.takeUnreported()
		if len(got) != len(want) {
			t.Errorf("%s, the report is %v, want %v", when, got, want)
		}
		for policy, workloads := range want {
			if !slices.Equal(names(got[policy]), workloads) {
				t.Errorf("%s, the workloads of policy %s are %v, want %v", when, policy, got[policy], workloads)
			}
		}
	}
	want("before the first denial", nil)
	reporter.record([]string{"p"}, v1alpha1.WorkloadReference{})
	want("after a denial without a controller", nil)
	reporter.record([]string{"p", "q"}, replicaSet("b"))
	reporter.record([]string{"p"}, replicaSet("a"))
	want("after two denials", map[string][]string{"p": {"a", "b"}, "q": {"b"}})
	now = now.Add(denialRefreshInterval)
	reporter.record([]string{"p"}, replicaSet("a"))
	want("after the same denial soon", nil)
	now = now.Add(denialRefreshInterval + time.Second)
	reporter.record([]string{"p"}, replicaSet("a"))
	want("after the same denial later", map[string][]string{"p": {"a", "b"}})
	now = now.Add(DenialTTL - denialRefreshInterval)
	reporter.record([]string{"p"}, replicaSet("a"))
	want("when the other denial is too old", map[string][]string{"p": {"a"}})
}

// TestDeniedWorkloadsAreLimited proves that a replica remembers a limited number of workloads for each policy.
func TestDeniedWorkloadsAreLimited(t *testing.T) {
	reporter := &denialReporter{now: time.Now}
	for i := range maxDeniedWorkloads + 10 {
		reporter.record([]string{"p"}, replicaSet(fmt.Sprintf("kong-%03d", i)))
	}
	if got := len(reporter.takeUnreported()["p"]); got != maxDeniedWorkloads {
		t.Errorf("the report has %d workloads, want %d", got, maxDeniedWorkloads)
	}
}
