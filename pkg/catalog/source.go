package catalog

import (
	"crypto/sha256"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/luasource"
)

// Source is a ConfigMap that carries files of a plugin, reduced to what
// decisions need. It never holds contents.
type Source struct {
	Namespace, Name string
	// Plugin is the value of label kongdao.io/plugin.
	Plugin string
	// Version is the release's, "" where the ConfigMap names none.
	Version string
	// Digest is what annotation kongdao.io/digest says of the whole release,
	// "" without it.
	Digest string
	// Immutable is the ConfigMap's own field: such a source never changes.
	Immutable bool
	// Folder is the value of annotation kongdao.io/path, nil without it.
	Folder *string
	// Keys are the ConfigMap's keys, of data and binaryData alike, sorted by name.
	Keys []Key
}

// Key is one entry of a ConfigMap.
type Key struct {
	Name string
	// Size is that of the content, in bytes.
	Size int
	// Digest is the SHA-256 of the content.
	Digest [sha256.Size]byte
	// Lists is what the file lists, for keys that may be a list that matters.
	Lists *List
}

// List is what could be read out of a file that returns a list: of the names
// of migrations, or of entities.
type List struct {
	// Literal says that the file returns a literal list of strings, which an
	// empty one is too. Where it does not, only Lua could tell what it lists,
	// and Names is nil.
	Literal bool
	Names   []string
}

// isEmpty reports whether the file surely lists nothing.
func (l *List) isEmpty() bool { return l != nil && l.Literal && len(l.Names) == 0 }

// SourceOf reduces a ConfigMap to what the catalog keeps of it. It holds no
// memory of the ConfigMap's contents. A ConfigMap without the label
// kongdao.io/plugin yields a Source without a plugin, which is none.
func SourceOf(configMap *corev1.ConfigMap) Source {
	source := Source{
		Namespace: configMap.Namespace,
		Name:      configMap.Name,
		Plugin:    configMap.Labels[annotations.Plugin],
		Version:   configMap.Labels[annotations.PluginVersion],
		Digest:    configMap.Annotations[annotations.Digest],
		Immutable: configMap.Immutable != nil && *configMap.Immutable,
		Keys:      make([]Key, 0, len(configMap.Data)+len(configMap.BinaryData)),
	}
	if source.Version == "" {
		source.Version = configMap.Annotations[annotations.PluginVersion]
	}
	if folder, ok := configMap.Annotations[annotations.Path]; ok {
		source.Folder = &folder
	}
	for name, content := range configMap.Data {
		source.Keys = append(source.Keys, keyOf(name, content))
	}
	for name, content := range configMap.BinaryData {
		source.Keys = append(source.Keys, keyOf(name, string(content)))
	}
	slices.SortFunc(source.Keys, compareKeys)
	return source
}

func keyOf(name, content string) Key {
	key := Key{Name: name, Size: len(content), Digest: sumOf(content)}
	if mayBeList(name) {
		names, literal := luasource.ReturnedStrings([]byte(content))
		key.Lists = &List{Literal: literal, Names: names}
	}
	return key
}

// sumOf is the SHA-256 of a text, without a copy of it: at the start a gigabyte
// of texts goes through here.
func sumOf(text string) (sum [sha256.Size]byte) {
	var block [1 << 10]byte
	hash := sha256.New()
	for len(text) > 0 {
		read := copy(block[:], text)
		hash.Write(block[:read])
		text = text[read:]
	}
	hash.Sum(sum[:0])
	return sum
}
