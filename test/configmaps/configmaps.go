// Package configmaps makes the ConfigMaps that tests use as plugin sources.
package configmaps

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// Source returns an immutable ConfigMap with a complete plugin that has no entities and no migrations.
func Source(namespace, name, plugin string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{annotations.Plugin: plugin},
		},
		Immutable: new(true),
		Data: map[string]string{
			"handler.lua": "return { PRIORITY = 1, VERSION = \"1.0.0\" }",
			"schema.lua":  "return { name = \"" + plugin + "\", fields = {} }",
		},
	}
}

// Versioned labels a source with a version and returns it.
func Versioned(source *corev1.ConfigMap, version string) *corev1.ConfigMap {
	source.Labels[annotations.PluginVersion] = version
	return source
}
