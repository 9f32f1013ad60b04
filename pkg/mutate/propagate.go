package mutate

import (
	"maps"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
)

// PropagationPatch returns the operations that propagate annotations to the pod template at a path ("/spec/template").
func PropagationPatch(path string, template Pod, propagation annotations.Propagation) []Operation {
	list := path + "/metadata/annotations"
	switch {
	case len(propagation.Set) > 0 && !template.HasMetadata:
		return []Operation{add(path+"/metadata", map[string]any{"annotations": propagation.Set})}
	case len(propagation.Set) > 0 && !template.HasAnnotations:
		return []Operation{add(list, propagation.Set)}
	}
	var patch []Operation
	for _, name := range slices.Sorted(maps.Keys(propagation.Set)) {
		patch = append(patch, add(list+"/"+escapePointer(name), propagation.Set[name]))
	}
	for _, name := range propagation.Remove {
		patch = append(patch, remove(list+"/"+escapePointer(name)))
	}
	return patch
}
