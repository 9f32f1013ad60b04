package policy

import (
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
)

// Decision is what becomes of a pod: what the policies make of its request, and
// what it gets for that.
type Decision struct {
	mutate.Decision
	Outcome Outcome
	// Missing are the plugins that were not found, by the namespaces where they were
	// looked for: where the releases are a cache's, the sources may say otherwise.
	Missing map[string]map[string]bool
}

// Decide goes the whole way of the data, from a pod in a namespace, the policies
// that count there and the releases that there are to the injection. All that is
// wrong is said at once.
func Decide(policies []*Policy, namespace string, pod mutate.Pod, all Releases) Decision {
	request, denied := annotations.Parse(pod.Annotations)
	decider := decider{namespace: namespace, pod: pod, all: all}
	alone := Outcome{Request: request}
	if len(policies) == 0 {
		return Decision{Decision: decider.decide(alone, denied), Outcome: alone, Missing: decider.missing}
	}
	facts := Pod{
		Namespace: namespace, IsKong: mutate.IsKong(pod),
		Inject: pod.Annotations[annotations.Inject], Migrations: pod.Annotations[annotations.Migrations],
	}
	if slices.ContainsFunc(policies, (*Policy).looksAtPods) {
		facts.Labels = pod.AllLabels()
	}
	outcome := Combine(policies, facts, request)
	decision := decider.decide(outcome, denied)
	if len(decision.Denials) > 0 {
		// Who is to blame: what policies want, where what the pod wants can be had.
		if len(outcome.Giving) > 0 && len(decider.decide(alone, denied).Denials) == 0 {
			outcome.Denying = sortedSet(append(outcome.Denying, outcome.Giving...))
		}
		outcome.Giving = nil
	} else if len(outcome.Auditing) > 0 && len(outcome.WouldDeny) == 0 {
		if would := decider.decide(*outcome.Would, denied); len(would.Denials) > 0 {
			outcome.WouldDeny = outcome.Auditing
			outcome.Warnings = append(outcome.Warnings, wouldDeny(would.Denials))
		}
	}
	decision.Warnings = slices.Concat(decision.Warnings, outcome.Warnings)
	return Decision{Decision: decision, Outcome: outcome, Missing: decider.missing}
}

// decider decides on one pod, and notes what it has not found.
type decider struct {
	namespace string
	pod       mutate.Pod
	all       Releases
	missing   map[string]map[string]bool
}

func (d *decider) decide(outcome Outcome, denied denial.List) mutate.Decision {
	decision := mutate.DecideRequest(d.namespace, d.pod, outcome.Request, slices.Concat(denied, outcome.Denials),
		finder(d.namespace, outcome.Request.Plugins, outcome.Libraries, d.all))
	for _, plugin := range decision.Unresolved {
		for _, namespace := range outcome.Libraries[plugin].Namespaces(d.namespace) {
			d.miss(namespace, plugin)
		}
	}
	return decision
}

func (d *decider) miss(namespace, plugin string) {
	if d.missing == nil {
		d.missing = map[string]map[string]bool{}
	}
	if d.missing[namespace] == nil {
		d.missing[namespace] = map[string]bool{}
	}
	d.missing[namespace][plugin] = true
}
