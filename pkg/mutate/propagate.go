package mutate

import (
	"maps"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
)

// PropagationPatch yields the operations that carry annotations into the pod
// template at path ("/spec/template"), or out of it.
func PropagationPatch(path string, template Pod, carry annotations.Propagation) []Operation {
	list := path + "/metadata/annotations"
	switch {
	case len(carry.Set) > 0 && !template.HasMetadata:
		return []Operation{add(path+"/metadata", map[string]any{"annotations": carry.Set})}
	case len(carry.Set) > 0 && !template.HasAnnotations:
		return []Operation{add(list, carry.Set)}
	}
	var patch []Operation
	for _, name := range slices.Sorted(maps.Keys(carry.Set)) {
		patch = append(patch, add(list+"/"+EscapePointer(name), carry.Set[name]))
	}
	for _, name := range carry.Remove {
		patch = append(patch, remove(list+"/"+EscapePointer(name)))
	}
	return patch
}
