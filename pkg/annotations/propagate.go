package annotations

import "fmt"

// Propagation is what has to change in the annotations of a workload's pod template.
type Propagation struct {
	// Set holds the annotations that the template gets.
	Set map[string]string
	// Remove names those that it loses, sorted.
	Remove []string
	// Overridden names those of Set where the template said something else, sorted.
	Overridden []string
}

// Propagate says how the annotations of a workload are carried into its pod
// template, and out again: the workload's own wins over the template's; one
// that was taken off the workload is taken off the template where it still has
// the value that was carried. old are the workload's annotations before an
// update, nil for a new one. What stands in the template alone stays.
func Propagate(template, workload, old map[string]string) Propagation {
	var propagation Propagation
	for _, name := range Propagated() {
		value, wanted := workload[name]
		current, there := template[name]
		switch {
		case wanted && (!there || current != value):
			if propagation.Set == nil {
				propagation.Set = map[string]string{}
			}
			propagation.Set[name] = value
			if there && old[name] != current {
				propagation.Overridden = append(propagation.Overridden, name)
			}
		case !wanted && there:
			if before, had := old[name]; had && before == current {
				propagation.Remove = append(propagation.Remove, name)
			}
		}
	}
	return propagation
}

// OverrideWarning says to whoever changed a workload of a kind that an
// annotation of its pod template lost against its own.
func OverrideWarning(name, was, is, kind string) string {
	return fmt.Sprintf("annotation %s of the pod template said %q and now says %q, as the %s itself does; change it there", name, was, is, kind)
}
