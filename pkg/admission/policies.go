package admission

import (
	"context"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// Policies finds the policies of a namespace. A nil Policies has none.
type Policies struct {
	Index      *policy.Index
	Namespaces LabelReader
	// Effects may be nil.
	Effects EffectsRecorder
}

// LabelReader reads the labels of a namespace.
type LabelReader interface {
	Labels(ctx context.Context, namespace string) (map[string]string, error)
}

// EffectsRecorder records the effects of policies on each pod that is created. The owner is the pod's controller, or
// the zero value for a pod without one.
type EffectsRecorder interface {
	RecordEffects(effects policy.Effects, owner v1alpha1.WorkloadReference)
}

// Of returns the policies that select a namespace. If the cluster has no policies, it does not read the labels.
func (p *Policies) Of(ctx context.Context, namespace string) ([]*policy.Policy, error) {
	if p == nil || p.Index.Len() == 0 {
		return nil, nil
	}
	labels, err := p.Namespaces.Labels(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return p.Index.Of(namespace, labels), nil
}

func (p *Policies) recordEffects(effects policy.Effects, owner v1alpha1.WorkloadReference) {
	if p != nil && p.Effects != nil {
		p.Effects.RecordEffects(effects, owner)
	}
}
