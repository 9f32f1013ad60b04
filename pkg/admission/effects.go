package admission

import (
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// EffectsRecorder records the effects of policies on each pod that is created. The owner is the pod's controller, or
// the zero value for a pod without one.
type EffectsRecorder interface {
	RecordEffects(effects policy.Effects, owner v1alpha1.WorkloadReference)
}
