package catalog

import (
	"crypto/sha256"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/luasource"
)

// Source is a ConfigMap with files of a plugin, reduced to what decisions need. It holds no contents.
type Source struct {
	Namespace, Name string
	// Plugin is the value of the label kongdao.io/plugin.
	Plugin string
	// Version is the version of the release, or "" if the ConfigMap has none.
	Version string
	// Digest is the value of the annotation kongdao.io/digest, the digest of the whole release, or "" without it.
	Digest string
	// Immutable is the field of the ConfigMap. An immutable source never changes.
	Immutable bool
	// Folder is the value of the annotation kongdao.io/path, or nil without it.
	Folder *string
	// Keys holds the keys of data and binaryData, sorted by name.
	Keys []Key
}

// Key is one entry of a ConfigMap.
type Key struct {
	Name string
	// Size is the size of the content in bytes.
	Size int
	// Digest is the SHA-256 of the content.
	Digest [sha256.Size]byte
	// List is the list that the file returns. It is nil for files that cannot be a list of migrations or of entities.
	List *List
}

// List is what the parser can read from a file that returns a list: a list of migration names, or of entities.
type List struct {
	// Literal is true if the file returns a literal list of strings, which may be empty. Otherwise only Lua can
	// compute the list, and Names is nil.
	Literal bool
	Names   []string
}

// isEmpty reports whether the list is certainly empty.
func (l *List) isEmpty() bool { return l != nil && l.Literal && len(l.Names) == 0 }

// NewSource reduces a ConfigMap to a Source. The result does not keep the memory of the ConfigMap's contents. Without
// the label kongdao.io/plugin, Plugin is empty and the ConfigMap is not a source.
func NewSource(configMap *corev1.ConfigMap) Source {
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
		source.Keys = append(source.Keys, newKey(name, content))
	}
	for name, content := range configMap.BinaryData {
		source.Keys = append(source.Keys, newKey(name, string(content)))
	}
	slices.SortFunc(source.Keys, compareKeys)
	return source
}

func newKey(name, content string) Key {
	key := Key{Name: name, Size: len(content), Digest: contentDigest(content)}
	if canBeList(name) {
		names, literal := luasource.ReturnedStrings([]byte(content))
		key.List = &List{Literal: literal, Names: names}
	}
	return key
}

// contentDigest returns the SHA-256 of a string without copying it. At startup, a gigabyte of strings passes through
// this function.
func contentDigest(content string) (digest [sha256.Size]byte) {
	var block [1 << 10]byte
	hash := sha256.New()
	for len(content) > 0 {
		n := copy(block[:], content)
		hash.Write(block[:n])
		content = content[n:]
	}
	hash.Sum(digest[:0])
	return digest
}
