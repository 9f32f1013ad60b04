package manifest

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"kongdao.io/kongdao/pkg/annotations"
)

// maxUnusedAnnotations limits the warnings about one object.
const maxUnusedAnnotations = 10

// foundAnnotation is an annotation of kongdao anywhere in an object.
type foundAnnotation struct {
	name string
	// pointer is the JSON pointer from the object to the mapping with the annotation.
	pointer string
	line    int
}

// findAnnotations finds kongdao's annotations in an object of any kind, for example in the values of a HelmRelease.
func findAnnotations(node *yaml.Node, pointer string, found []foundAnnotation) []foundAnnotation {
	if node == nil || len(found) >= maxUnusedAnnotations {
		return found
	}
	for i, child := range node.Content {
		switch {
		case node.Kind == yaml.SequenceNode:
			found = findAnnotations(child, fmt.Sprintf("%s/%d", pointer, i), found)
		case node.Kind != yaml.MappingNode || i%2 == 0:
		case slices.Contains(annotations.Propagated(), node.Content[i-1].Value) && scalar(child) != "":
			found = append(found, foundAnnotation{node.Content[i-1].Value, pointer, node.Content[i-1].Line})
		default:
			found = findAnnotations(child, pointer+"/"+node.Content[i-1].Value, found)
		}
	}
	return found
}

// warnUnsupported warns of annotations in an object whose pods inject does not see.
func (j *injector) warnUnsupported(object *kubeObject) {
	for _, found := range findAnnotations(object.node, "", nil) {
		warning := object.problem("%s: annotation %s in %s has no effect here: inject does not support the kind %q; "+
			"the webhook injects its pods in the cluster", j.label(object), found.name, found.pointer, object.Kind)
		warning.Line = found.line
		j.result.Warnings = append(j.result.Warnings, warning)
	}
}

// removedVersions are the API versions of workloads that Kubernetes has removed, with the versions that replace them.
var removedVersions = map[string]string{
	"extensions/v1beta1": "apps/v1", "apps/v1beta1": "apps/v1", "apps/v1beta2": "apps/v1",
	"batch/v1beta1": "batch/v1", "batch/v2alpha1": "batch/v1",
}

// warnRemovedVersion warns of a workload that the API server rejects, if it requests plugins.
func (j *injector) warnRemovedVersion(object *kubeObject) {
	current := removedVersions[object.APIVersion]
	if current != "" && len(findAnnotations(object.node, "", nil)) > 0 {
		j.warn(object, j.label(object), fmt.Sprintf("Kubernetes has removed apiVersion %s of the kind %s; use %s",
			object.APIVersion, object.Kind, current))
	}
}
