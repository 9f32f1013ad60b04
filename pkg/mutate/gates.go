package mutate

import (
	"slices"

	"kongdao.io/kongdao/pkg/jsonview"
)

// HasGate reports whether a pod has a scheduling gate.
func (p *Pod) HasGate(name string) bool { return slices.Contains(p.Gates, name) }

// AddGate appends the operation that gives a pod a scheduling gate, beside those
// of others, and notes it in the view. A pod that has it, as one has under
// reinvocation, is left as it is: the API server denies a gate that is there twice.
func AddGate(patch []Operation, pod *Pod, name string) []Operation {
	if pod.HasGate(name) {
		return patch
	}
	patch = appendAll(patch, "/spec/schedulingGates", len(pod.Gates), []gate{{name}})
	pod.Gates = append(pod.Gates, name)
	return patch
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
