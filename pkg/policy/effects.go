package policy

import (
	"cmp"
	"slices"
)

// Effect is what a policy does to a pod. It labels a metric.
type Effect string

// The effects. A policy that audits would only have an effect.
const (
	// Injected: the pod gets the plugins of the policy.
	Injected Effect = "injected"
	// Denied: the policy denies the pod.
	Denied Effect = "denied"
	// OptedOut: the pod opts out of the plugins of the policy.
	OptedOut Effect = "opted_out"
	// WouldChange: the policy would change the pod if it were enforced.
	WouldChange Effect = "would_change"
	// WouldDeny: the policy would deny the pod if it were enforced.
	WouldDeny Effect = "would_deny"
)

// PolicyEffect is an effect of one policy.
type PolicyEffect struct {
	Policy string
	Effect Effect
}

// Effects are sorted by policy and effect, without duplicates.
type Effects []PolicyEffect

// Has reports whether a policy has the effect.
func (e Effects) Has(effect Effect) bool {
	return slices.ContainsFunc(e, func(one PolicyEffect) bool { return one.Effect == effect })
}

// Policies returns the names of the policies that have one of these effects, sorted.
func (e Effects) Policies(effects ...Effect) []string {
	var names []string
	for _, one := range e {
		if slices.Contains(effects, one.Effect) && !slices.Contains(names, one.Policy) {
			names = append(names, one.Policy)
		}
	}
	return names
}

// Replace returns the effects with one effect replaced by another.
func (e Effects) Replace(old, replacement Effect) Effects {
	replaced := slices.Clone(e)
	for i := range replaced {
		if replaced[i].Effect == old {
			replaced[i].Effect = replacement
		}
	}
	return replaced.sorted()
}

// Without returns the effects without one of them.
func (e Effects) Without(effect Effect) Effects {
	return slices.DeleteFunc(slices.Clone(e), func(one PolicyEffect) bool { return one.Effect == effect })
}

// sorted sorts the effects in place and removes duplicates.
func (e Effects) sorted() Effects {
	slices.SortFunc(e, func(a, b PolicyEffect) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Effect, b.Effect))
	})
	return slices.Compact(e)
}
