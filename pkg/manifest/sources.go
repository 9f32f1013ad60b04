package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/yamledit"
)

// readSources reads the sources and the namespaces in the documents. It warns of policies, because only readPolicies
// reads them.
func (j *injector) readSources(documents []*Document) {
	for _, document := range documents {
		for _, object := range document.objects {
			switch {
			case object.isConfigMap():
				j.addSource(object)
			case object.isNamespace():
				j.addNamespace(object)
			case object.isPolicy():
				j.warn(object, object.clusterScopedLabel(), "has no effect here; name its file with --policy")
			}
		}
	}
}

// ConfigMaps returns the ConfigMaps with the label of a source. Those that name no namespace are in the given one. The
// error has the problems of all ConfigMaps.
func ConfigMaps(documents []*Document, namespace string) ([]corev1.ConfigMap, error) {
	var configMaps []corev1.ConfigMap
	var problems Problems
	for _, document := range documents {
		for _, object := range document.objects {
			if !object.isConfigMap() || yamledit.Member(object.at("/metadata/labels"), annotations.Plugin) == nil {
				continue
			}
			var configMap corev1.ConfigMap
			if err := object.decode(&configMap, false); err != nil {
				problems = append(problems, object.problem("cannot be parsed as a ConfigMap: %v", err))
				continue
			}
			configMap.Namespace = cmp.Or(configMap.Namespace, namespace)
			configMaps = append(configMaps, configMap)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return configMaps, nil
}

// addSource reads a ConfigMap with the label of a source.
func (j *injector) addSource(object *kubeObject) {
	if yamledit.Member(object.at("/metadata/labels"), annotations.Plugin) == nil {
		return
	}
	var configMap corev1.ConfigMap
	if err := object.decode(&configMap, false); err != nil {
		j.deny(object, j.label(object), fmt.Sprintf("cannot be parsed as a ConfigMap: %v", err))
		return
	}
	configMap.Namespace = j.namespaceOf(object)
	source := catalog.NewSource(&configMap)
	j.warnDuplicate(object, j.label(object))
	j.sources.Put(source)
	if j.namespacesByPlugin[source.Plugin] == nil {
		j.namespacesByPlugin[source.Plugin] = map[string]bool{}
	}
	j.namespacesByPlugin[source.Plugin][source.Namespace] = true
}

// warnDuplicate warns of an object that is in the input twice.
func (j *injector) warnDuplicate(object *kubeObject, label string) {
	if first, duplicate := j.positions[label]; duplicate {
		const format = "is in the input twice; inject ignores the first one at %s:%d"
		j.warn(object, label, fmt.Sprintf(format, first.File, first.Line))
	}
	j.positions[label] = object.problem("")
}

// sourceHint returns text for the end of a denial about an unknown plugin. It says how to add the plugin to the input.
func (j *injector) sourceHint(namespace string, denied denial.Denial, admitted *decision.Decision) string {
	if denied.Reason != denial.UnknownPlugin {
		return ""
	}
	for _, ref := range admitted.Request.Plugins {
		isAbout := strings.HasPrefix(denied.Message, fmt.Sprintf("plugin %q:", ref.Name)) ||
			strings.HasPrefix(denied.Message, fmt.Sprintf("plugin %q:", ref.String()))
		found := slices.Collect(maps.Keys(j.namespacesByPlugin[ref.Name]))
		if isAbout && len(found) > 0 {
			return fmt.Sprintf("; the input has the plugin in namespace %s: pack it with -n %s",
				denial.QuoteNames(found), admitted.Origins[ref.Name].Namespaces(namespace)[0])
		}
	}
	return ", and add it to the input with -f"
}

// copyWarnings returns a warning for each release of a library. Its pods mount copies that are not in the output.
func copyWarnings(namespace string, admitted *decision.Decision) []string {
	if len(admitted.Denials) > 0 {
		return nil
	}
	var warnings []string
	for _, release := range admitted.Releases {
		if len(release.Copies) == 0 {
			continue
		}
		var names []string
		for _, copied := range release.Copies {
			names = append(names, copied.Name)
		}
		ref := annotations.PluginRef{Name: release.Plugin, Version: release.Version}
		warnings = append(warnings, fmt.Sprintf("plugin %q comes from the library %q; "+
			"the pod needs its copy in namespace %q, ConfigMap %s, and only kongdao in the cluster creates it",
			ref.String(), release.Library, namespace, denial.QuoteNames(names)))
	}
	return warnings
}
