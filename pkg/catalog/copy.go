package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Copy is a ConfigMap that carries files of a library's release to another
// namespace. It is named by what it holds.
type Copy struct {
	Name string
	Keys []CopiedKey
}

// CopiedKey is one entry of a Copy, and where its content comes from.
type CopiedKey struct {
	// Name is the key in the copy.
	Name string
	// Source and Key say where the content is in the library.
	Source, Key string
	Digest      [sha256.Size]byte
}

// largestCopy is how much a copy may hold, in bytes of contents and of their
// keys, so that it fits into the 1 MiB of a ConfigMap (V6).
const largestCopy = 900 << 10

// CopyPrefix begins the name of every copy. Nobody but kongdao may make such a
// ConfigMap: an installation has the API server see to it.
const CopyPrefix = "kongdao-copy-"

// CopiedFrom is the release as the pods of other namespaces get it: the same
// files, out of copies.
func (r *Release) CopiedFrom(library string) *Release {
	copied := *r
	copied.Library, copied.Files, copied.Sources = library, make([]File, len(r.Files)), nil
	base := r.copyName(library)
	var last *Copy
	size := 0
	for i, file := range r.Files {
		key := copiedKey(i, file.Path)
		if last == nil || size+len(key)+file.Size > largestCopy {
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

// copiedKey is the key of a release's file. The number tells apart what the
// slashes' replacement would make one.
func copiedKey(number int, path string) string {
	key := fmt.Sprintf("%03d.%s", number, strings.ReplaceAll(path, "/", "."))
	return key[:min(len(key), longestElement)]
}

// copyName is of the plugin, and of what the copy holds and where that is from.
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

// IsCopy reports whether a ConfigMap's source has just what a copy is to have.
func (c Copy) IsCopy(source Source) bool {
	if source.Name != c.Name || !source.Immutable || len(source.Keys) != len(c.Keys) {
		return false
	}
	digests := make(map[string][sha256.Size]byte, len(source.Keys))
	for _, key := range source.Keys {
		digests[key.Name] = key.Digest
	}
	for _, key := range c.Keys {
		if digest, there := digests[key.Name]; !there || digest != key.Digest {
			return false
		}
	}
	return true
}
