package admission

import (
	"context"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Policies are what the handlers know of the cluster's policies.
type Policies struct {
	Index *policy.Index
	// Labels yields a namespace's labels.
	Labels func(ctx context.Context, namespace string) (map[string]string, error)
	// Told is told what policies make of a pod that is created, and whose pod it is,
	// the zero value if it has no controller.
	Told func(outcome policy.Outcome, owner v1alpha1.WorkloadReference)
}

// Of are the policies of a namespace. Where there are none in the cluster, nothing
// is looked at.
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

// told tells of what policies make of a pod.
func (p *Policies) told(outcome policy.Outcome, owner v1alpha1.WorkloadReference) {
	if p != nil && p.Told != nil {
		p.Told(outcome, owner)
	}
}

// decide decides on a pod, by what policies say and by its sources.
func decide(ctx context.Context, policies *Policies, sources *Sources, namespace string, pod mutate.Pod) (policy.Decision, error) {
	selecting, err := policies.Of(ctx, namespace)
	if err != nil {
		return policy.Decision{}, err
	}
	return sources.Decide(ctx, selecting, namespace, pod)
}
