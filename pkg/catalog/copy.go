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

// largestCopy is how much a copy may hold, in bytes, so that it fits into the
// 1 MiB of a ConfigMap (V6).
const largestCopy = 900 << 10

// copyPrefix begins the name of every copy.
const copyPrefix = "kongdao-"

// CopiedFrom is the release as the pods of other namespaces get it: the same
// files, out of copies.
func (r *Release) CopiedFrom(library string) *Release {
	copied := *r
	copied.Library, copied.Files, copied.Sources = library, make([]File, len(r.Files)), nil
	base := r.copyName()
	var last *Copy
	size := 0
	for i, file := range r.Files {
		if last == nil || size+file.Size > largestCopy && len(last.Keys) > 0 {
			name := base
			if len(copied.Copies) > 0 {
				name = fmt.Sprintf("%s-%d", base, len(copied.Copies)+1)
			}
			copied.Copies = append(copied.Copies, Copy{Name: name})
			copied.Sources = append(copied.Sources, SourceRef{Name: name, Immutable: true})
			last, size = &copied.Copies[len(copied.Copies)-1], 0
		}
		// The number tells apart what the slashes' replacement would make one.
		key := fmt.Sprintf("%03d.%s", i, strings.ReplaceAll(file.Path, "/", "."))
		if len(key) > longestElement {
			key = key[:longestElement]
		}
		last.Keys = append(last.Keys, CopiedKey{Name: key, Source: file.Source, Key: file.Key, Digest: file.Digest})
		copied.Files[i] = file
		copied.Files[i].Source, copied.Files[i].Key, copied.Files[i].Immutable = last.Name, key, true
		size += file.Size
	}
	return &copied
}

// copyName is of the plugin and what it holds.
func (r *Release) copyName() string {
	sum := sha256.Sum256([]byte(r.Plugin + " " + r.Digest))
	plugin := strings.Trim(strings.ReplaceAll(strings.ToLower(r.Plugin), "_", "-"), "-")
	return copyPrefix + plugin + "-" + hex.EncodeToString(sum[:])[:12]
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
