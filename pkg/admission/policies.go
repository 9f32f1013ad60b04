package admission

import (
	"context"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Policies are what the handlers know of the cluster's policies.
type Policies struct {
	Index *policy.Index
	// Labels yields a namespace's labels.
	Labels func(ctx context.Context, namespace string) (map[string]string, error)
	// Refused is told of pods that policies refuse, or with Audit would: which
	// policies, and whose pod it is, "" where nobody's.
	Refused func(policies []string, owner string)
}

// combine has a namespace's policies say what becomes of what a pod asks for.
// Where there are none, nothing is looked at.
func (p *Policies) combine(ctx context.Context, asked *ask) (policy.Outcome, error) {
	if p == nil || p.Index.Len() == 0 {
		return policy.Outcome{}, nil
	}
	labels, err := p.Labels(ctx, asked.namespace)
	if err != nil {
		return policy.Outcome{}, err
	}
	policies := p.Index.Of(asked.namespace, labels)
	if len(policies) == 0 {
		return policy.Outcome{}, nil
	}
	facts := policy.Pod{
		Namespace: asked.namespace, IsKong: mutate.IsKong(asked.pod),
		Inject: asked.pod.Annotations[annotations.Inject], Migrations: asked.pod.Annotations[annotations.Migrations],
	}
	if policy.LookAtPods(policies) {
		facts.Labels = asked.pod.AllLabels()
	}
	outcome := policy.Combine(policies, facts, asked.request)
	asked.request, asked.origins = outcome.Request, outcome.Libraries
	asked.refused = append(asked.refused, outcome.Refusals...)
	return outcome, nil
}

// told tells of the policies that refuse a pod, or would.
func (p *Policies) told(outcome policy.Outcome, owner string) {
	if p == nil || p.Refused == nil {
		return
	}
	if concerned := append(outcome.Refusing, outcome.WouldRefuse...); len(concerned) > 0 {
		p.Refused(concerned, owner)
	}
}

// decide decides on a pod, by what policies say and by its sources.
func decide(ctx context.Context, policies *Policies, sources *Sources, namespace string, pod mutate.Pod) (mutate.Decision, policy.Outcome, error) {
	asked := askOf(namespace, pod)
	outcome, err := policies.combine(ctx, &asked)
	if err != nil {
		return mutate.Decision{}, outcome, err
	}
	decision, err := sources.decide(ctx, asked)
	decision.Warnings = append(decision.Warnings, outcome.Warnings...)
	return decision, outcome, err
}
