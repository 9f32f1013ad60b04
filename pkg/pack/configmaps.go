package pack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// fillConfigMaps puts the files into ConfigMaps, in order. It starts a new ConfigMap when the current one is full. The
// ConfigMaps have no names and labels yet.
func (p *packer) fillConfigMaps(groups []group) []corev1.ConfigMap {
	var configMaps []corev1.ConfigMap
	for _, group := range groups {
		free, keys := 0, 0
		for i, entry := range group.entries {
			content := p.files[entry.path]
			size := len(entry.key) + len(content)
			if size > maxConfigMapBytes {
				p.deny("file %s has %d bytes, but a ConfigMap has room for %d; make it smaller, or put it into Kong's image",
					denial.Quote(entry.path), len(content), maxConfigMapBytes-len(entry.key))
				continue
			}
			if i == 0 || size > free || keys == catalog.MaxKeys || len(configMaps) == 0 {
				configMaps = append(configMaps, newConfigMap(group.folder))
				free, keys = maxConfigMapBytes, 0
			}
			last := &configMaps[len(configMaps)-1]
			if hasKey(configMaps, last.Annotations[annotations.Path], entry.key) {
				p.deny("files %s have the same key, because the flat form has no directories; "+
					"rename one of them, or pack without --flat", denial.QuoteNames(p.filesWithKey(entry.key)))
				continue
			}
			free, keys = free-size, keys+1
			setKey(last, entry.key, content)
		}
	}
	return configMaps
}

func newConfigMap(folder string) corev1.ConfigMap {
	configMap := corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
	if folder != "" {
		configMap.Annotations = map[string]string{annotations.Path: folder}
	}
	return configMap
}

// setKey uses binaryData for content that is not text, because data holds only UTF-8.
func setKey(configMap *corev1.ConfigMap, key string, content []byte) {
	if utf8.Valid(content) {
		if configMap.Data == nil {
			configMap.Data = map[string]string{}
		}
		configMap.Data[key] = string(content)
		return
	}
	if configMap.BinaryData == nil {
		configMap.BinaryData = map[string][]byte{}
	}
	configMap.BinaryData[key] = content
}

// hasKey reports whether a ConfigMap for the folder already has the key.
func hasKey(configMaps []corev1.ConfigMap, folder, key string) bool {
	return slices.ContainsFunc(configMaps, func(configMap corev1.ConfigMap) bool {
		_, text := configMap.Data[key]
		_, binary := configMap.BinaryData[key]
		return configMap.Annotations[annotations.Path] == folder && (text || binary)
	})
}

func (p *packer) filesWithKey(key string) []string {
	var files []string
	for _, file := range p.paths() {
		if _, other, err := p.keyOf(file); err == nil && other == key {
			files = append(files, file)
		}
	}
	return files
}

// setMetadata sets the names, labels and annotations of the ConfigMaps.
func (p *packer) setMetadata(configMaps []corev1.ConfigMap, digest string) []corev1.ConfigMap {
	base := toSubdomain(p.plugin) + "-" + toSubdomain(p.version)
	if !p.options.Mutable {
		base += "-" + strings.TrimPrefix(digest, "sha256:")[:10]
	}
	for i := range configMaps {
		configMap := &configMaps[i]
		configMap.Namespace = p.options.Namespace
		configMap.Name = base
		if i > 0 {
			configMap.Name += "-" + strconv.Itoa(i+1)
		}
		configMap.Labels = map[string]string{annotations.Plugin: p.plugin, annotations.PluginVersion: p.version}
		if p.options.Force {
			metav1.SetMetaDataAnnotation(&configMap.ObjectMeta, annotations.Force, "true")
		}
		if !p.options.Mutable {
			configMap.Immutable = new(true)
			metav1.SetMetaDataAnnotation(&configMap.ObjectMeta, annotations.Digest, digest)
		}
	}
	return configMaps
}

// toSubdomain turns a label value into a DNS subdomain for the name of an object: the elements between the dots start
// and end with a letter or digit.
func toSubdomain(value string) string {
	var elements []string
	for element := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(value), "_", "-"), ".") {
		if element = strings.Trim(element, "-"); element != "" {
			elements = append(elements, element)
		}
	}
	return strings.Join(elements, ".")
}

// maxAppliedBytes limits the objects that "kubectl apply" can store in the annotation last-applied-configuration. All
// annotations together may have 256 KiB.
const maxAppliedBytes = 250 << 10

func sizeWarnings(configMaps []corev1.ConfigMap) []string {
	large := map[string]bool{}
	for i := range configMaps {
		text, err := json.Marshal(&configMaps[i])
		if err == nil && len(text) > maxAppliedBytes {
			large[configMaps[i].Name] = true
		}
	}
	if len(large) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: too large for \"kubectl apply\", which stores the object in an annotation; "+
		"use \"kubectl create\" or \"kubectl apply --server-side\"",
		denial.QuoteConfigMaps(slices.Collect(maps.Keys(large))))}
}
