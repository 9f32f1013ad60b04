package goldens

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/catalog"
)

// ConfigMaps reads a file with one or more ConfigMaps as YAML documents.
func ConfigMaps(t testing.TB, path string) []*corev1.ConfigMap {
	t.Helper()
	var configMaps []*corev1.ConfigMap
	for document := range strings.SplitSeq("\n"+readFile(t, path), "\n---\n") {
		document += "\n" // the separator has removed it, and a block scalar may end with it
		if len(bytes.TrimSpace([]byte(document))) == 0 {
			continue
		}
		configMap := &corev1.ConfigMap{}
		if err := yaml.UnmarshalStrict([]byte(document), configMap); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if configMap.Kind == "" { // the document has only comments
			continue
		}
		if configMap.Namespace == "" {
			configMap.Namespace = Namespace
		}
		configMaps = append(configMaps, configMap)
	}
	return configMaps
}

// Catalog returns an index of the ConfigMaps. It adds them in their order.
func Catalog(configMaps []*corev1.ConfigMap) *catalog.Index {
	index := &catalog.Index{}
	for _, configMap := range configMaps {
		index.Put(catalog.NewSource(configMap))
	}
	return index
}
