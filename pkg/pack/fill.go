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
	"kongdao.io/kongdao/pkg/denial"
)

// fill puts the entries into ConfigMaps, in order, a new one whenever the last
// is full. Names and labels are not there yet.
func (p *packer) fill(parts []part) []corev1.ConfigMap {
	var filled []corev1.ConfigMap
	for _, part := range parts {
		room := 0
		for i, entry := range part.entries {
			content := p.files[entry.path]
			size := len(entry.key) + len(content)
			if size > Budget {
				p.deny("file %s has %d bytes, and a ConfigMap has room for %d; make it smaller, or bring it in the image",
					denial.Quote(entry.path), len(content), Budget-len(entry.key))
				continue
			}
			if i == 0 || size > room || len(filled) == 0 {
				filled = append(filled, emptyConfigMap(part.folder))
				room = Budget
			}
			last := &filled[len(filled)-1]
			if taken(last, filled, entry.key) {
				p.deny("files %s would get one key, for the flat form keeps no folders; rename one of them, or pack without --flat",
					denial.QuoteNames(p.sharing(entry.key)))
				continue
			}
			room -= size
			put(last, entry.key, content)
		}
	}
	return filled
}

func emptyConfigMap(folder string) corev1.ConfigMap {
	configMap := corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
	if folder != "" {
		configMap.Annotations = map[string]string{annotations.Path: folder}
	}
	return configMap
}

// put chooses binaryData for what is not text: data holds UTF-8 only.
func put(configMap *corev1.ConfigMap, key string, content []byte) {
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

// taken reports whether a ConfigMap of the same folder has the key already.
func taken(last *corev1.ConfigMap, filled []corev1.ConfigMap, key string) bool {
	for i := range filled {
		if filled[i].Annotations[annotations.Path] != last.Annotations[annotations.Path] {
			continue
		}
		_, text := filled[i].Data[key]
		_, binary := filled[i].BinaryData[key]
		if text || binary {
			return true
		}
	}
	return false
}

func (p *packer) sharing(key string) []string {
	var sharing []string
	for _, file := range p.paths() {
		if _, other, err := p.keyOf(file); err == nil && other == key {
			sharing = append(sharing, file)
		}
	}
	return sharing
}

// label gives the ConfigMaps their names, labels and annotations.
func (p *packer) label(filled []corev1.ConfigMap, digest string) []corev1.ConfigMap {
	base := dnsFit(p.plugin) + "-" + dnsFit(p.version)
	if !p.options.Mutable {
		base += "-" + strings.TrimPrefix(digest, "sha256:")[:10]
	}
	for i := range filled {
		configMap := &filled[i]
		configMap.Namespace = p.options.Namespace
		configMap.Name = base
		if i > 0 {
			configMap.Name += "-" + strconv.Itoa(i+1)
		}
		configMap.Labels = map[string]string{annotations.Plugin: p.plugin, annotations.PluginVersion: p.version}
		if p.options.Mutable {
			continue
		}
		immutable := true
		configMap.Immutable = &immutable
		if configMap.Annotations == nil {
			configMap.Annotations = map[string]string{}
		}
		configMap.Annotations[annotations.Digest] = digest
	}
	return filled
}

// dnsFit makes a label's value fit for the name of an object: a DNS subdomain,
// whose elements begin and end with a letter or digit.
func dnsFit(value string) string {
	var elements []string
	for element := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(value), "_", "-"), ".") {
		if element = strings.Trim(element, "-"); element != "" {
			elements = append(elements, element)
		}
	}
	return strings.Join(elements, ".")
}

// applied is how large an object "kubectl apply" can keep in its annotation
// last-applied-configuration: 256 KiB for all annotations, less some for the others.
const applied = 250 << 10

func sizeNotes(configMaps []corev1.ConfigMap) []string {
	large := map[string]bool{}
	for i := range configMaps {
		text, err := json.Marshal(&configMaps[i])
		if err == nil && len(text) > applied {
			large[configMaps[i].Name] = true
		}
	}
	if len(large) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("ConfigMap %s: too large for the annotation that \"kubectl apply\" keeps; use \"kubectl create\" or \"kubectl apply --server-side\"",
		denial.QuoteNames(slices.Collect(maps.Keys(large))))}
}
