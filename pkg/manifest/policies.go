package manifest

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

func (o *Object) isNamespace() bool { return o.APIVersion == "v1" && o.Kind == "Namespace" }

func (o *Object) isPolicy() bool {
	return o.APIVersion == v1alpha1.GroupVersion().String() && o.Kind == "PluginPolicy"
}

// clusterLabel is how messages call an object that is in no namespace.
func clusterLabel(object *Object) string {
	return fmt.Sprintf("%s %s", object.Kind, denial.Quote(object.Name))
}

// readPolicies reads the policies in documents that hold nothing else but
// namespaces.
func (j *injector) readPolicies(documents []*Document) {
	for _, document := range documents {
		for _, object := range document.Objects {
			switch {
			case object.isPolicy():
				j.addPolicy(object)
			case object.isNamespace():
				j.addNamespace(object)
			default:
				j.result.Warnings = append(j.result.Warnings, object.problem(clusterLabel(object)+
					": is not read, for it is neither a PluginPolicy nor a Namespace; give it with -f"))
			}
		}
	}
}

// addPolicy reads a policy as strictly as kubectl has the API server do: a
// selector in a slip would be one of everything.
func (j *injector) addPolicy(object *Object) {
	var read v1alpha1.PluginPolicy
	if err := object.readInto(&read, true); err != nil {
		j.denyAt(object, fmt.Sprintf("cannot be read as a PluginPolicy: %v", err))
		return
	}
	compiled, err := policy.Compile(&read)
	if err != nil {
		j.result.Denials = append(j.result.Denials, object.problem(err.Error()))
		return
	}
	j.once(object, clusterLabel(object))
	j.policies.Put(compiled)
}

// addNamespace reads a namespace's labels. The API server gives it one itself.
func (j *injector) addNamespace(object *Object) {
	var read corev1.Namespace
	if err := object.readInto(&read, false); err != nil {
		j.denyAt(object, fmt.Sprintf("cannot be read as a Namespace: %v", err))
		return
	}
	j.once(object, clusterLabel(object))
	if read.Labels == nil {
		read.Labels = map[string]string{}
	}
	read.Labels[corev1.LabelMetadataName] = read.Name
	if j.labels == nil {
		j.labels = map[string]map[string]string{}
	}
	j.labels[read.Name] = read.Labels
}

func (j *injector) denyAt(object *Object, text string) {
	j.result.Denials = append(j.result.Denials, object.problem(clusterLabel(object)+": "+text))
}

// readInto reads an object as the API server does; strictly, without members that
// it would drop.
func (o *Object) readInto(into any, strictly bool) error {
	encoded, err := appendJSON(nil, o.node)
	if err != nil {
		return err
	}
	wrong, err := json.UnmarshalStrict(encoded, into)
	if err == nil && strictly && len(wrong) > 0 {
		return wrong[0]
	}
	return err
}

// labelsOf are a namespace's labels: of one that the input does not have, that
// alone which every namespace has.
func (j *injector) labelsOf(namespace string) map[string]string {
	if labels, there := j.labels[namespace]; there {
		return labels
	}
	return map[string]string{corev1.LabelMetadataName: namespace}
}

// decide decides on a pod as the webhook does.
func (j *injector) decide(namespace string, pod mutate.Pod) (decision.Decision, error) {
	admitted, err := decision.Admit(decision.Pod{Namespace: namespace, View: pod}, decision.Cluster{
		Policies: j.policies.Of(namespace, j.labelsOf(namespace)), Releases: j.index.Releases,
	})
	admitted.Warnings = slices.Concat(admitted.Warnings, copiesSentences(namespace, &admitted))
	return admitted, err
}

// copiesSentences say which ConfigMaps a pod refers to that nobody writes down:
// the controller makes them.
func copiesSentences(namespace string, decision *decision.Decision) []string {
	var sentences []string
	for _, release := range decision.Releases {
		if len(release.Copies) == 0 || len(decision.Denials) > 0 {
			continue
		}
		var names []string
		for _, made := range release.Copies {
			names = append(names, made.Name)
		}
		ref := annotations.PluginRef{Name: release.Plugin, Version: release.Version}
		sentences = append(sentences, fmt.Sprintf(
			"plugin %q comes from the library %q: kongdao makes its copy in namespace %q, ConfigMap %s, and without kongdao in the cluster nobody does",
			ref.String(), release.Library, namespace, denial.QuoteNames(names)))
	}
	return sentences
}
