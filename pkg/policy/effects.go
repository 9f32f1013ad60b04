package policy

import (
	"cmp"
	"slices"
)

// EffectKind is what a policy does to a pod. It labels a metric.
type EffectKind string

// The kinds of effects. The last two are those of policies with mode Audit.
const (
	// Injected: the pod gets the plugins of the policy.
	Injected EffectKind = "injected"
	// Denied: the policy denies the pod.
	Denied EffectKind = "denied"
	// OptedOut: the pod opts out of the plugins of the policy.
	OptedOut EffectKind = "opted_out"
	// WouldChange: the policy would change the pod if it were enforced.
	WouldChange EffectKind = "would_change"
	// WouldDeny: the policy would deny the pod if it were enforced.
	WouldDeny EffectKind = "would_deny"
)

// Effect is what one policy does to a pod.
type Effect struct {
	Policy string
	Kind   EffectKind
}

// Effects are sorted by policy and kind, without duplicates.
type Effects []Effect

// Has reports whether there is an effect of this kind.
func (e Effects) Has(kind EffectKind) bool {
	return slices.ContainsFunc(e, func(effect Effect) bool { return effect.Kind == kind })
}

// Policies returns the names of the policies that have an effect of these kinds, sorted.
func (e Effects) Policies(kinds ...EffectKind) []string {
	var names []string
	for _, effect := range e {
		isNew := len(names) == 0 || names[len(names)-1] != effect.Policy
		if isNew && slices.Contains(kinds, effect.Kind) {
			names = append(names, effect.Policy)
		}
	}
	return names
}

// Replace returns the effects with one kind replaced by another.
func (e Effects) Replace(old, replacement EffectKind) Effects {
	replaced := slices.Clone(e)
	for i := range replaced {
		if replaced[i].Kind == old {
			replaced[i].Kind = replacement
		}
	}
	return replaced.sorted()
}

// Without returns the effects without those of one kind.
func (e Effects) Without(kind EffectKind) Effects {
	return slices.DeleteFunc(slices.Clone(e), func(effect Effect) bool { return effect.Kind == kind })
}

// sorted sorts the effects in place and removes duplicates.
func (e Effects) sorted() Effects {
	slices.SortFunc(e, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.Compact(e)
}
