package mutate

import "slices"

// HasGate reports whether a pod has a scheduling gate.
func (p *Pod) HasGate(name string) bool { return slices.Contains(p.Gates, name) }

// AddGates appends the operations that give a pod scheduling gates. The pod keeps the gates that it has. A gate that
// exists already, for example under reinvocation, is not added again, because the API server rejects duplicates.
func AddGates(patch []Operation, pod Pod, names []string) []Operation {
	var missing []gate
	for _, name := range names {
		if !pod.HasGate(name) {
			missing = append(missing, gate{name})
		}
	}
	return appendAll(patch, "/spec/schedulingGates", len(pod.Gates), missing)
}

// Annotate appends the operation that sets an annotation of an injected pod, which has annotations.
func Annotate(patch []Operation, pod Pod, name, value string) []Operation {
	return setMember(patch, "/metadata/annotations", true, pod.Annotations, name, value)
}

// gate is a scheduling gate in a patch.
type gate struct {
	Name string `json:"name"`
}
