package admission

import (
	"context"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// Policies are the policies of the cluster.
type Policies struct {
	Index *policy.Index
	// Labels returns the labels of a namespace.
	Labels func(ctx context.Context, namespace string) (map[string]string, error)
	// Report receives the effects of policies on each pod that is created, and the pod's controller, which
	// is the zero value for a pod without one.
	Report func(effects policy.Effects, owner v1alpha1.WorkloadReference)
}

// Of returns the policies that select a namespace. If the cluster has no policies, it does not read the labels.
func (p *Policies) Of(ctx context.Context, namespace string) ([]*policy.Policy, error) {
	if p == nil || p.Index.Len() == 0 {
		return nil, nil
	}
	labels, err := p.Labels(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return p.Index.Of(namespace, labels), nil
}

func (p *Policies) report(effects policy.Effects, owner v1alpha1.WorkloadReference) {
	if p != nil && p.Report != nil {
		p.Report(effects, owner)
	}
}
