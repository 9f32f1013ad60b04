package migrate

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// CanGate reports whether a pod that is being created may be given a gate: not
// one with a node, which the API server would refuse (P1), and not a Job's, for
// that is what migrates where others do it (K21).
func CanGate(pod mutate.Pod, ownerKind string) bool {
	return !pod.HasNode && !pod.Gated && ownerKind != "Job"
}

// Gate yields the operation that gives a pod our scheduling gate, beside those
// of others.
func Gate(pod mutate.Pod) mutate.Operation {
	gate := map[string]string{"name": annotations.MigrationsGate}
	if pod.Gates == 0 {
		return mutate.Operation{Op: "add", Path: "/spec/schedulingGates", Value: []map[string]string{gate}}
	}
	return mutate.Operation{Op: "add", Path: "/spec/schedulingGates/-", Value: gate}
}
