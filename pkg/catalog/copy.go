package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Copy is a ConfigMap that carries files of a library's release to another namespace. Its name depends on its contents.
type Copy struct {
	Name string
	Keys []CopiedKey
}

// CopiedKey is one entry of a Copy, and the origin of its content.
type CopiedKey struct {
	// Name is the key in the copy.
	Name string
	// Source and Key are the names of the library's ConfigMap and of its key.
	Source, Key string
	Digest      [sha256.Size]byte
}

// maxCopyBytes limits the contents and keys of a copy. A ConfigMap holds at most 1 MiB (fact V6).
const maxCopyBytes = 900 << 10

// CopyPrefix is the prefix of the name of every copy. Only kongdao may create such ConfigMaps. An installation enforces
// this with a ValidatingAdmissionPolicy.
const CopyPrefix = "kongdao-copy-"

// CopiedFrom returns the release for pods in other namespaces: the same files, from copies of the library's sources.
func (r *Release) CopiedFrom(library string) *Release {
	copied := *r
	copied.Library, copied.Files, copied.Sources = library, make([]File, len(r.Files)), nil
	base := r.copyName(library)
	var last *Copy
	size := 0
	for i, file := range r.Files {
		key := copiedKey(i, file.Path)
		if last == nil || size+len(key)+file.Size > maxCopyBytes || len(last.Keys) == MaxKeys {
			name := base
			if len(copied.Copies) > 0 {
				name = fmt.Sprintf("%s-%d", base, len(copied.Copies)+1)
			}
			copied.Copies = append(copied.Copies, Copy{Name: name})
			copied.Sources = append(copied.Sources, SourceRef{Name: name, Immutable: true})
			last, size = &copied.Copies[len(copied.Copies)-1], 0
		}
		last.Keys = append(last.Keys, CopiedKey{Name: key, Source: file.Source, Key: file.Key, Digest: file.Digest})
		copied.Files[i] = file
		copied.Files[i].Source, copied.Files[i].Key, copied.Files[i].Immutable = last.Name, key, true
		size += len(key) + file.Size
	}
	return &copied
}

// copiedKey returns the key of a file in a copy. The index keeps keys unique: without it, "a/b" and "a.b" have the same
// key.
func copiedKey(index int, path string) string {
	key := fmt.Sprintf("%03d.%s", index, strings.ReplaceAll(path, "/", "."))
	return key[:min(len(key), maxElementBytes)]
}

// copyName depends on the plugin, the release's digest and the library.
func (r *Release) copyName(library string) string {
	sum := sha256.Sum256([]byte(library + "/" + r.Plugin + " " + r.Digest))
	plugin := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(r.Plugin))
	return CopyPrefix + strings.Trim(plugin, "-") + "-" + hex.EncodeToString(sum[:])[:16]
}

// Matches reports whether the source of a ConfigMap has exactly the contents of the copy and is immutable.
func (c Copy) Matches(source Source) bool {
	if source.Name != c.Name || !source.Immutable || len(source.Keys) != len(c.Keys) {
		return false
	}
	digests := make(map[string][sha256.Size]byte, len(source.Keys))
	for _, key := range source.Keys {
		digests[key.Name] = key.Digest
	}
	for _, key := range c.Keys {
		if digest, exists := digests[key.Name]; !exists || digest != key.Digest {
			return false
		}
	}
	return true
}
