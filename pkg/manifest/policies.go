package manifest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// readPolicies reads the documents of --policy, which contain policies and namespaces. It warns of other objects.
func (j *injector) readPolicies(documents []*Document) {
	for _, document := range documents {
		for _, object := range document.objects {
			switch {
			case object.isPolicy():
				j.addPolicy(object)
			case object.isNamespace():
				j.addNamespace(object)
			default:
				j.warn(object, object.clusterScopedLabel(),
					"is ignored, because --policy reads only PluginPolicies and Namespaces; use -f for other objects")
			}
		}
	}
}

// addPolicy rejects unknown fields, as kubectl does by default. With a typo in its name, a selector would be ignored,
// and the policy would select everything.
func (j *injector) addPolicy(object *kubeObject) {
	var read v1alpha1.PluginPolicy
	if err := object.decode(&read, true); err != nil {
		j.deny(object, object.clusterScopedLabel(), fmt.Sprintf("cannot be parsed as a PluginPolicy: %v", err))
		return
	}
	compiled, err := policy.Compile(&read)
	if err != nil {
		j.result.Denials = append(j.result.Denials, object.problem("%v", err))
		return
	}
	j.warnDuplicate(object, object.clusterScopedLabel())
	j.policies.Put(compiled)
}

// addNamespace reads the labels of a namespace. It adds the label that the API server sets itself.
func (j *injector) addNamespace(object *kubeObject) {
	var read corev1.Namespace
	if err := object.decode(&read, false); err != nil {
		j.deny(object, object.clusterScopedLabel(), fmt.Sprintf("cannot be parsed as a Namespace: %v", err))
		return
	}
	j.warnDuplicate(object, object.clusterScopedLabel())
	if read.Labels == nil {
		read.Labels = map[string]string{}
	}
	read.Labels[corev1.LabelMetadataName] = read.Name
	j.namespaceLabels[read.Name] = read.Labels
}

// labelsOf returns the labels of a namespace. A namespace that is not in the input has only the label that the API
// server sets.
func (j *injector) labelsOf(namespace string) map[string]string {
	if labels, found := j.namespaceLabels[namespace]; found {
		return labels
	}
	return map[string]string{corev1.LabelMetadataName: namespace}
}
