package catalog

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
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
	// IsForced is true if the annotation kongdao.io/force is "true".
	IsForced bool
	// Folder is the value of the annotation kongdao.io/path, or nil without it.
	Folder *string
	// Keys holds the keys of data and binaryData, sorted by name. It is nil for a source with Excess, for an Incomplete
	// source, and for a ConfigMap that is neither a source nor a copy.
	Keys []Key
	// Excess says which limit the ConfigMap exceeds: "has 60000 keys, but …". It is "" for other sources.
	Excess string
	// Incomplete is true if the keys were dropped because the sources of the namespace need too much memory.
	Incomplete bool
	// Bytes is the approximate memory that the source needs in the catalog, in bytes, with its keys.
	Bytes int
	// Revision identifies this state of the ConfigMap, from its UID and resourceVersion.
	Revision string
}

// Key is one entry of a ConfigMap.
type Key struct {
	Name string
	// Size is the size of the content in bytes.
	Size int
	// Digest is the SHA-256 of the content.
	Digest [sha256.Size]byte
	// Summary is what the checks keep of a Lua file. It is nil for other files.
	Summary *checks.Summary
}

// NewSource reduces a ConfigMap to a Source. The result does not keep the memory of the ConfigMap's contents. Without
// the label kongdao.io/plugin, Plugin is empty and the ConfigMap is not a source. A source that exceeds a limit has no
// keys.
func NewSource(configMap *corev1.ConfigMap) Source {
	source := Source{
		Namespace: configMap.Namespace,
		Name:      configMap.Name,
		Plugin:    configMap.Labels[annotations.Plugin],
		Version:   configMap.Labels[annotations.PluginVersion],
		Immutable: configMap.Immutable != nil && *configMap.Immutable,
		Revision:  string(configMap.UID) + "/" + configMap.ResourceVersion,
	}
	source.readAnnotations(configMap.Annotations)
	keys := len(configMap.Data) + len(configMap.BinaryData)
	switch {
	case keys > MaxKeys:
		source.Excess = fmt.Sprintf("has %d keys, but the limit is %d; split it, or delete files that Kong does not load",
			keys, MaxKeys)
	case source.Excess == "" && (source.Plugin != "" || strings.HasPrefix(source.Name, CopyPrefix)):
		source.addKeys(configMap)
	}
	source.Bytes = source.countBytes()
	return source
}

// readAnnotations keeps what releases need of the annotations of a ConfigMap.
func (s *Source) readAnnotations(all map[string]string) {
	read := func(name string) string {
		value, excess := limitValue(name, all[name])
		if excess != "" {
			s.Excess = excess
		}
		return value
	}
	s.Digest = read(annotations.Digest)
	s.IsForced = all[annotations.Force] == "true"
	if s.Version == "" {
		s.Version = read(annotations.PluginVersion)
	}
	if _, ok := all[annotations.Path]; ok {
		folder := read(annotations.Path)
		s.Folder = &folder
	}
}

// addKeys adds the keys of a ConfigMap, sorted by name.
func (s *Source) addKeys(configMap *corev1.ConfigMap) {
	s.Keys = make([]Key, 0, len(configMap.Data)+len(configMap.BinaryData))
	for name, content := range configMap.Data {
		s.Keys = append(s.Keys, Key{Name: name, Size: len(content), Digest: contentDigest(content)})
	}
	for name, content := range configMap.BinaryData {
		s.Keys = append(s.Keys, Key{Name: name, Size: len(content), Digest: contentDigest(string(content))})
	}
	slices.SortFunc(s.Keys, compareKeys)
	s.summarize(configMap)
}

// InvalidPaths describes the keys that are not paths in the plugin's directory.
func (s *Source) InvalidPaths() []string {
	var invalid []string
	for _, key := range s.Keys {
		if _, err := explicitPath(s.Folder, key.Name); err != nil {
			invalid = append(invalid, invalidPath(s.Name, key.Name, err))
		}
	}
	return invalid
}

// IsSameRelease reports whether two states of a source mean the same for its release.
func (s *Source) IsSameRelease(other *Source) bool {
	isSamePath := s.Folder == other.Folder || s.Folder != nil && other.Folder != nil && *s.Folder == *other.Folder
	return s.Plugin == other.Plugin && s.Version == other.Version && s.Digest == other.Digest && isSamePath &&
		s.Immutable == other.Immutable && s.IsForced == other.IsForced && s.Excess == other.Excess &&
		slices.EqualFunc(s.Keys, other.Keys, func(a, b Key) bool { return a.Name == b.Name && a.Digest == b.Digest })
}

// summarize reads the Lua files, in the order of the keys, up to the limit for the files of one ConfigMap.
func (s *Source) summarize(configMap *corev1.ConfigMap) {
	left := maxReadBytes
	for i := range s.Keys {
		key := &s.Keys[i]
		file, err := explicitPath(s.Folder, key.Name)
		if err != nil || !strings.HasSuffix(file, checks.LuaSuffix) {
			continue
		}
		if key.Size > left {
			key.Summary = checks.Unread(file)
			continue
		}
		left -= key.Size
		content, isBinary := configMap.BinaryData[key.Name]
		if !isBinary {
			content = []byte(configMap.Data[key.Name])
		}
		key.Summary = checks.Summarize(file, content)
	}
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
