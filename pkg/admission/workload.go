package admission

import (
	"slices"
	"strconv"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/jsonview"
	"kongdao.io/kongdao/pkg/mutate"
)

// workload is the view of a Deployment, StatefulSet or DaemonSet.
type workload struct {
	annotations map[string]string
	template    mutate.Pod
	hasTemplate bool
	// progressDeadline is the value of progressDeadlineSeconds of a Deployment, or 0.
	progressDeadline int
	// selector selects the pods, in JSON.
	selector []byte
}

// decodeWorkload decodes a workload. An empty text gives an empty workload: a new workload has no old object.
func decodeWorkload(text []byte) (workload, error) {
	var decoded workload
	if len(text) == 0 {
		return decoded, nil
	}
	d := jsonview.New(text)
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "metadata":
			decoded.decodeMetadata(d)
		case "spec":
			decoded.decodeSpec(d)
		default:
			d.Skip()
		}
	}
	d.End()
	return decoded, d.Err()
}

func (w *workload) decodeMetadata(d *jsonview.Decoder) {
	for ok := d.Object(); ok && d.More(); {
		if string(d.Name()) == "annotations" {
			w.annotations, _ = d.StringMap(annotations.Prefix)
		} else {
			d.Skip()
		}
	}
}

func (w *workload) decodeSpec(d *jsonview.Decoder) {
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "template":
			w.hasTemplate = w.template.Decode(d)
		case "selector":
			w.selector = slices.Clone(d.Raw())
		case "progressDeadlineSeconds":
			w.progressDeadline, _ = strconv.Atoi(string(d.Raw())) // the API server accepts only a number
		default:
			d.Skip()
		}
	}
}

// propagate changes the annotations of the template, and returns the patch that makes the same change to the workload.
// A workload without a template gets no patch: the API server could not apply it and would deny the workload with a
// confusing message.
func (w *workload) propagate(propagation annotations.Propagation) []mutate.Operation {
	if !w.hasTemplate || len(propagation.Set) == 0 && len(propagation.Remove) == 0 {
		return nil
	}
	patch := mutate.PropagationPatch("/spec/template", w.template, propagation)
	w.template.Annotations = propagation.Apply(w.template.Annotations)
	return patch
}
