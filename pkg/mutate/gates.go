package mutate

import (
	"slices"

	"kongdao.io/kongdao/pkg/jsonview"
)

// HasGate reports whether a pod has a scheduling gate.
func (p *Pod) HasGate(name string) bool { return slices.Contains(p.Gates, name) }

// AddGates appends the operations that give a pod scheduling gates. Gates that the pod has already stay, also those of
// others. The API server denies a pod that has a gate twice, and a pod may come again (reinvocation).
func AddGates(patch []Operation, pod Pod, names []string) []Operation {
	var missing []gate
	for _, name := range names {
		if !pod.HasGate(name) {
			missing = append(missing, gate{name})
		}
	}
	return appendAll(patch, "/spec/schedulingGates", len(pod.Gates), missing)
}

func (p *Pod) decodeGates(d *jsonview.Decoder) {
	for ok := d.Array(); ok && d.More(); {
		name := ""
		for ok := d.Object(); ok && d.More(); {
			if string(d.Name()) == "name" {
				name = d.String()
			} else {
				d.Skip()
			}
		}
		p.Gates = append(p.Gates, name)
	}
}

type gate struct {
	Name string `json:"name"`
}
