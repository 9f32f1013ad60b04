package migrate

import (
	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// CanGate reports whether a pod that is being created may be given a gate: not
// one with a node, which the API server would deny (P1), and not a Job's, for
// that is what migrates where others do it (K21).
func CanGate(pod mutate.Pod, ownerKind string) bool {
	return !pod.HasNode && !pod.HasGate(annotations.MigrationsGate) && ownerKind != "Job"
}
