package policy

import (
	"fmt"
	"maps"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// auditor says what would be otherwise if every policy were enforced.
type auditor struct {
	*Outcome
	would  Outcome
	wishes map[string][]wish
	// has are the plugins that the pod gets.
	has       map[string]annotations.PluginRef
	audited   map[string]*Policy
	concerned map[string]bool
}

func (o *Outcome) audit(policies []*Policy, pod Pod, request annotations.Request) {
	auditor := auditor{Outcome: o, has: byName(o.Request.Plugins), audited: map[string]*Policy{}, concerned: map[string]bool{}}
	auditor.would, auditor.wishes = combine(policies, pod, request)
	auditor.would.sort()
	o.Would = &auditor.would
	for _, policy := range policies {
		if policy.Audits {
			auditor.audited[policy.Name] = policy
		}
	}
	auditor.denials()
	for _, ref := range auditor.would.Request.Plugins {
		auditor.plugin(ref)
		auditor.library(ref.Name)
	}
	o.Auditing = slices.Sorted(maps.Keys(auditor.concerned))
}

func (a *auditor) denials() {
	if len(a.would.Denials) == 0 || len(a.Denials) > 0 {
		return
	}
	a.Warnings = append(a.Warnings, wouldDeny(a.would.Denials))
	for _, name := range a.would.Denying {
		if a.audited[name] != nil {
			a.concerned[name] = true
			a.WouldDeny = append(a.WouldDeny, name)
		}
	}
}

func wouldDeny(denials denial.List) string {
	return "audited policies would deny this pod: " + denials.Error()
}

// warn says what policies would do, unless they would deny: that is said then.
func (a *auditor) warn(policies []string, format string, args ...any) {
	for _, name := range policies {
		a.concerned[name] = true
	}
	if len(policies) > 0 && len(a.would.Denials) == 0 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("audited policy %s would %s", denial.QuoteNames(policies), fmt.Sprintf(format, args...)))
	}
}

// plugin compares whether, and in which version, the pod gets a plugin.
func (a *auditor) plugin(ref annotations.PluginRef) {
	has, gets := a.has[ref.Name]
	switch {
	case !gets:
		a.warn(a.wanting(ref.Name, false), "give this pod the plugin %q", ref.String())
	case has != ref:
		// Only who names a version changes it.
		a.warn(a.wanting(ref.Name, true), "give this pod the plugin %q", ref.String())
	case a.Request.Containers != nil && !a.Request.AllKongContainers:
		a.warn(a.wanting(ref.Name, false), "give the plugin %q to every container that looks like Kong, not only to those that annotation %s names",
			ref.String(), annotations.Containers)
	}
}

// wanting are the audited policies that want a plugin for this pod, sorted; with
// versioned those that name a version.
func (a *auditor) wanting(plugin string, versioned bool) []string {
	var names []string
	for _, wish := range a.wishes[plugin] {
		if a.audited[wish.by] != nil && (wish.version != "" || !versioned) {
			names = append(names, wish.by)
		}
	}
	slices.Sort(names)
	return names
}

// library compares where a plugin that the pod gets anyway may come from.
func (a *auditor) library(plugin string) {
	if _, gets := a.has[plugin]; !gets {
		return
	}
	is, would := a.Libraries[plugin], a.would.Libraries[plugin]
	var names, libraries []string
	for name, policy := range a.audited {
		wants := slices.ContainsFunc(a.wishes[plugin], func(wish wish) bool { return wish.by == name })
		if policy.Library != "" && (wants || !would.Only) && (is.Only != would.Only || !slices.Contains(is.Libraries, policy.Library)) {
			names, libraries = append(names, name), append(libraries, policy.Library)
		}
	}
	if would.Only {
		a.warn(names, "have the plugin %q come from the library %s alone", plugin, denial.QuoteNames(would.Libraries))
	} else {
		a.warn(names, "let the plugin %q come from the library %s", plugin, denial.QuoteNames(libraries))
	}
}
