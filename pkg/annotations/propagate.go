package annotations

import (
	"fmt"
	"maps"
	"slices"
)

// Propagation is a change to the annotations of a workload's pod template.
type Propagation struct {
	// Set holds the annotations to add or replace.
	Set map[string]string
	// Remove lists the annotations to remove, sorted.
	Remove []string
	// Overridden lists the names in Set that replace a different value of the template, sorted.
	Overridden []string
}

// Propagate computes how the annotations of a workload change its pod template. The workload's annotation overrides the
// template's. An annotation that was removed from the workload is removed from the template, if the template still has
// the propagated value. Annotations that only the template has stay.
//
// The argument old holds the workload's annotations before an update. It is nil for a new workload.
func Propagate(template, workload, old map[string]string) Propagation {
	var propagation Propagation
	for _, name := range Propagated() {
		value, wanted := workload[name]
		current, exists := template[name]
		switch {
		case wanted && (!exists || current != value):
			if propagation.Set == nil {
				propagation.Set = map[string]string{}
			}
			propagation.Set[name] = value
			if exists && old[name] != current {
				propagation.Overridden = append(propagation.Overridden, name)
			}
		case !wanted && exists:
			if before, existed := old[name]; existed && before == current {
				propagation.Remove = append(propagation.Remove, name)
			}
		}
	}
	return propagation
}

// Apply returns the annotations of the template after the propagation.
func (p *Propagation) Apply(template map[string]string) map[string]string {
	changed := maps.Clone(template)
	if changed == nil {
		changed = map[string]string{}
	}
	maps.Copy(changed, p.Set)
	for _, name := range p.Remove {
		delete(changed, name)
	}
	return changed
}

// SetPins adds a new value of annotation kongdao.io/releases to the propagation. An empty value removes the annotation.
func (p *Propagation) SetPins(template map[string]string, value string) {
	current, exists := template[Releases]
	switch {
	case value == "" && exists:
		p.Remove = append(p.Remove, Releases)
		slices.Sort(p.Remove)
	case value != "" && value != current:
		if p.Set == nil {
			p.Set = map[string]string{}
		}
		p.Set[Releases] = value
	}
}

// OverrideWarning returns the warning for a workload whose annotation replaced a different value of its pod template.
// The argument kind is the workload's kind.
func OverrideWarning(name, before, after, kind string) string {
	return fmt.Sprintf("the pod template's annotation %s changes from %q to %q, the value of the %s; change it on the %s",
		name, before, after, kind, kind)
}
