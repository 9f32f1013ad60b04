package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/yamledit"
)

// propagate copies kongdao's annotations of a workload to its pod template, as the webhook does when the workload is
// created. For other kinds it warns that the annotations have no effect.
func (j *injector) propagate(object *kubeObject, location podLocation) error {
	switch {
	case location.pointer == "": // a Pod
		return nil
	case !location.propagates:
		cause := fmt.Sprintf("kongdao does not copy annotations of a %s to its pods; put it on the pod template", object.Kind)
		j.warnUnusedAnnotations(object, "/metadata", cause)
		return nil
	case object.at(location.pointer) == nil:
		return nil
	}
	workload, err := object.propagated("/metadata")
	if err != nil {
		return err
	}
	template, err := object.propagated(location.pointer + "/metadata")
	if err != nil {
		return err
	}
	propagation := annotations.Propagate(template, workload, nil)
	for _, name := range propagation.Overridden {
		warning := annotations.OverrideWarning(name, template[name], propagation.Set[name], object.Kind)
		j.warn(object, j.label(object), warning)
	}
	metadata := object.at(location.pointer + "/metadata")
	view := mutate.Pod{
		HasMetadata:    !isEmpty(metadata),
		HasAnnotations: !isEmpty(yamledit.Member(metadata, "annotations")),
	}
	for _, operation := range mutate.PropagationPatch(location.pointer, view, propagation) {
		if err := object.patch("", operation); err != nil {
			return err
		}
	}
	return nil
}

// pin writes the releases that the pods of a new workload get to its pod template, as the webhook does. It reports
// whether it changed the template.
func (j *injector) pin(object *kubeObject, location podLocation, pod mutate.Pod, admitted *decision.Decision) bool {
	pins, ok := decision.PinsOf(pod.Annotations, nil)
	if !ok || len(pins.New) == 0 {
		return false
	}
	var propagation annotations.Propagation
	propagation.SetPins(pod.Annotations, pins.Value(admitted.PinsTo(pins.New)))
	patch := mutate.PropagationPatch(location.pointer, pod, propagation)
	for _, operation := range patch {
		if err := object.patch("", operation); err != nil {
			j.deny(object, j.label(object), err.Error())
			return false
		}
	}
	return len(patch) > 0
}

func isEmpty(node *yaml.Node) bool { return node == nil || len(node.Content) == 0 }

// propagated returns those annotations of a metadata that kongdao copies to pod templates.
func (o *kubeObject) propagated(metadata string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range annotations.Propagated() {
		value := yamledit.Member(o.at(metadata+"/annotations"), name)
		if value == nil {
			continue
		}
		if value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str" {
			return nil, fmt.Errorf("annotation %s is not a string; put it in quotes", name)
		}
		values[name] = value.Value
	}
	return values, nil
}

// warnUnusedAnnotations warns of kongdao's annotations in a metadata that kongdao does not read.
func (j *injector) warnUnusedAnnotations(object *kubeObject, metadata, cause string) {
	for _, name := range annotations.Propagated() {
		if scalar(yamledit.Member(object.at(metadata+"/annotations"), name)) != "" {
			j.warn(object, j.label(object), fmt.Sprintf("annotation %s has no effect here: %s", name, cause))
		}
	}
}
