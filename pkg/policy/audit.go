package policy

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// AuditWarning warns that policies would deny the pod if they were enforced.
func AuditWarning(denials denial.List) string {
	return "audited policies would deny this pod: " + denials.Error()
}

// audit returns the difference between what happens to a pod and what would happen if every policy were enforced.
func audit(policies []*Policy, actual, simulated ruling) (warnings []string, effects Effects) {
	diff := diff{actual: actual, simulated: simulated, audited: map[string]*Policy{}, effects: map[string]EffectKind{}}
	for _, policy := range policies {
		if policy.Audits {
			diff.audited[policy.Name] = policy
		}
	}
	diff.denials()
	granted := annotations.ByName(actual.Request.Plugins)
	for _, ref := range simulated.Request.Plugins {
		current, isGranted := granted[ref.Name]
		diff.plugin(ref, current, isGranted)
		if isGranted {
			diff.origin(ref.Name)
		}
	}
	for name, kind := range diff.effects {
		effects = append(effects, Effect{name, kind})
	}
	return diff.warnings, effects
}

// diff collects the differences between two rulings about one pod.
type diff struct {
	// actual comes from the policies that are enforced, simulated from all.
	actual, simulated ruling
	// audited are the policies that audit, by name.
	audited  map[string]*Policy
	warnings []string
	// effects are WouldDeny or WouldChange, by policy.
	effects map[string]EffectKind
}

// denials adds the simulated denials, unless the pod is denied in any case.
func (d *diff) denials() {
	if len(d.simulated.Denials) == 0 || len(d.actual.Denials) > 0 {
		return
	}
	d.warnings = append(d.warnings, AuditWarning(d.simulated.Denials))
	for _, name := range d.simulated.Effects.Policies(Denied) {
		if d.audited[name] != nil {
			d.effects[name] = WouldDeny
		}
	}
}

// change adds a change that policies would make. It does not warn if the pod would be denied: that is a warning itself.
func (d *diff) change(policies []string, format string, args ...any) {
	for _, name := range policies {
		if d.effects[name] != WouldDeny {
			d.effects[name] = WouldChange
		}
	}
	if len(policies) > 0 && len(d.simulated.Denials) == 0 {
		subject := "audited policy "
		if len(policies) > 1 {
			subject = "audited policies "
		}
		d.warnings = append(d.warnings, subject+denial.QuoteNames(policies)+" would "+fmt.Sprintf(format, args...))
	}
}

// plugin compares whether, in which version and in which containers the pod gets a plugin.
func (d *diff) plugin(simulated, actual annotations.PluginRef, isGranted bool) {
	request := d.actual.Request
	switch {
	case !isGranted:
		d.change(d.claiming(simulated.Name, false), "give this pod the plugin %q", simulated.String())
	case actual != simulated:
		d.change(d.claiming(simulated.Name, true), "give this pod the plugin %q", simulated.String())
	case request.Containers != nil && !request.AllKongContainers:
		d.change(d.claiming(simulated.Name, false),
			"give the plugin %q to all Kong containers, not only to those that the annotation %s names",
			simulated.String(), annotations.Containers)
	}
}

// claiming returns the audited policies that claim a plugin for this pod, sorted. With versioned it returns only those
// that claim a version: no other policy changes a version.
func (d *diff) claiming(plugin string, versioned bool) []string {
	var names []string
	for _, claim := range d.simulated.claims[plugin] {
		if d.audited[claim.policy] != nil && (claim.version != "" || !versioned) {
			names = append(names, claim.policy)
		}
	}
	slices.Sort(names)
	return names
}

// origin compares where a plugin may come from that the pod gets in any case.
func (d *diff) origin(plugin string) {
	actual, simulated := d.actual.Origins[plugin], d.simulated.Origins[plugin]
	claiming := d.claiming(plugin, false)
	var names, libraries []string
	for name, policy := range d.audited {
		applies := policy.Library != "" && (!simulated.Only || slices.Contains(claiming, name))
		if applies && (actual.Only != simulated.Only || !slices.Contains(actual.Libraries, policy.Library)) {
			names, libraries = append(names, name), append(libraries, policy.Library)
		}
	}
	if simulated.Only {
		d.change(names, "take the plugin %q only from %s", plugin, simulated)
	} else {
		d.change(names, "also take the plugin %q from %s", plugin, Origin{Libraries: libraries})
	}
}
