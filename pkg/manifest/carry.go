package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// warnUnread says that an annotation of ours stands where nobody reads it.
func (j *injector) warnUnread(object *Object, metadata, why string) {
	for _, name := range annotations.Propagated() {
		if text(member(member(object.at(metadata), "annotations"), name)) != "" {
			j.warn(object, fmt.Sprintf("annotation %s has no effect here: %s", name, why))
		}
	}
}

// carry carries the annotations of a workload into its pod template, as the
// webhook does when it is created.
func (j *injector) carry(object *Object, template string) error {
	if object.at(template) == nil {
		return nil
	}
	own, err := object.requests("/metadata")
	if err != nil {
		return err
	}
	there, err := object.requests(template + "/metadata")
	if err != nil {
		return err
	}
	carry := annotations.Propagate(there, own, nil)
	for _, name := range carry.Overridden {
		j.warn(object, annotations.OverrideWarning(name, there[name], carry.Set[name], object.Kind))
	}
	metadata := object.at(template + "/metadata")
	view := mutate.Pod{HasMetadata: !isEmpty(metadata), HasAnnotations: !isEmpty(member(metadata, "annotations"))}
	for _, operation := range mutate.PropagationPatch(template, view, carry) {
		if err := object.document.apply(object.pointer, operation); err != nil {
			return err
		}
	}
	return nil
}

func isEmpty(node *yaml.Node) bool { return node == nil || len(node.Content) == 0 }

// requests yields the annotations in a metadata that are carried.
func (o *Object) requests(metadata string) (map[string]string, error) {
	requests := map[string]string{}
	for _, name := range annotations.Propagated() {
		value := member(member(o.at(metadata), "annotations"), name)
		if value == nil {
			continue
		}
		if value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str" {
			return nil, fmt.Errorf("annotation %s is not a string; put it in quotes", name)
		}
		requests[name] = value.Value
	}
	return requests, nil
}
