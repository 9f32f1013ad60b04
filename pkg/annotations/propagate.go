package annotations

import "fmt"

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

// OverrideWarning returns the warning for a workload whose annotation replaced a different value of its pod template.
// The argument kind is the workload's kind.
func OverrideWarning(name, before, after, kind string) string {
	return fmt.Sprintf("the pod template's annotation %s changes from %q to %q, the value of the %s; change it on the %s",
		name, before, after, kind, kind)
}
