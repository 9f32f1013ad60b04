package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Release is a plugin's files at one version, assembled from its sources.
type Release struct {
	Plugin string
	// Version is "" for sources that name none.
	Version string
	// Digest is "sha256:" and 64 hexadecimal digits, over paths and contents.
	Digest string
	// Files are the plugin's folder, sorted by path.
	Files []File
	// MigrationsDigest is the digest of those files alone that Kong migrates
	// the database by, "" for a plugin that brings no migrations.
	MigrationsDigest string
	// Sources are the ConfigMaps that the release was assembled from, sorted by name.
	Sources []SourceRef
	// Library is the namespace that the files come from, "" for the pods' own.
	Library string
	// Copies are the ConfigMaps that carry the files of a library's release to the
	// pods' namespace; nil for any other.
	Copies []Copy
	// Denials is why the release cannot be given to a pod; empty for a good one.
	Denials denial.List
}

// SourceRef names a ConfigMap of a release.
type SourceRef struct {
	Name      string
	Immutable bool
}

// File is one file of a release.
type File struct {
	// Path is relative to the plugin's folder: "migrations/init.lua".
	Path string
	// Source and Key say which ConfigMap holds the file, and where in it.
	Source, Key string
	// Immutable is the source's.
	Immutable bool
	// Size is in bytes.
	Size int
	// Digest is the SHA-256 of the content.
	Digest [sha256.Size]byte
	// lists is what the file lists, where it may be a list that matters.
	lists *List
}

// IsMigration reports whether the file lies in the migrations' folder, which
// is mounted apart from the plugin's other files.
func (f File) IsMigration() bool {
	return strings.HasPrefix(f.Path, annotations.MigrationsFolder+"/")
}

// Has reports whether the release has a file at path.
func (r *Release) Has(path string) bool { return r.file(path) != nil }

// HasEntities reports whether the plugin brings database entities of its own.
func (r *Release) HasEntities() bool {
	daos := r.file(daosFile)
	return daos != nil && !daos.lists.isEmpty()
}

func (r *Release) file(path string) *File {
	i, found := slices.BinarySearchFunc(r.Files, path, func(f File, path string) int { return strings.Compare(f.Path, path) })
	if !found {
		return nil
	}
	return &r.Files[i]
}

// name is how messages call the release.
func (r *Release) name() string {
	return fmt.Sprintf("plugin %q", annotations.PluginRef{Name: r.Plugin, Version: r.Version})
}

// Assemble makes the releases out of all sources of one plugin in one
// namespace, sorted by version. What is wrong with a release stands in it.
func Assemble(plugin string, sources []Source) []*Release {
	versions := map[string][]Source{}
	for _, source := range sources {
		versions[source.Version] = append(versions[source.Version], source)
	}
	releases := make([]*Release, 0, len(versions))
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		releases = append(releases, assemble(plugin, version, versions[version]))
	}
	return releases
}

func assemble(plugin, version string, sources []Source) *Release {
	// An immutable source comes first: of two that give the same file, the
	// one that cannot change is mounted.
	slices.SortFunc(sources, func(a, b Source) int {
		return cmp.Or(compareBools(b.Immutable, a.Immutable), strings.Compare(a.Name, b.Name))
	})
	release := &Release{Plugin: plugin, Version: version}
	if version != "" {
		if err := annotations.ValidateVersion(version); err != nil {
			release.deny(denial.BrokenPlugin, "%s of its ConfigMaps: %v", annotations.PluginVersion, err)
		}
	}
	for _, source := range sources {
		release.Sources = append(release.Sources, SourceRef{Name: source.Name, Immutable: source.Immutable})
	}
	slices.SortFunc(release.Sources, func(a, b SourceRef) int { return strings.Compare(a.Name, b.Name) })
	release.Files = release.place(sources)
	release.Digest = digestOf(release.Files)
	release.MigrationsDigest = release.migrationsDigest()
	release.check(sources)
	return release
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// place routes every key to its file and notes the sources that contradict
// each other.
func (r *Release) place(sources []Source) []File {
	placed := map[string]File{}
	routes := routesOf(sources)
	for _, source := range sources {
		for _, key := range source.Keys {
			path, err := routes.path(source.Folder, key.Name)
			if err != nil {
				r.deny(denial.BrokenPlugin, "ConfigMap %q, key %s: %v", source.Name, denial.Quote(key.Name), err)
				continue
			}
			file := File{
				Path: path, Source: source.Name, Key: key.Name, Immutable: source.Immutable,
				Size: key.Size, Digest: key.Digest, lists: key.Lists,
			}
			other, taken := placed[path]
			switch {
			case !taken:
				placed[path] = file
			case other.Digest != file.Digest:
				r.deny(denial.ConflictingSources, "file %q differs between %s and %s; delete one of them, or give them different values of label %s",
					path, place(other), place(file), annotations.PluginVersion)
			}
		}
	}
	files := slices.Collect(maps.Values(placed))
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

func place(file File) string { return fmt.Sprintf("ConfigMap %q (key %q)", file.Source, file.Key) }

func (r *Release) deny(reason denial.Reason, format string, args ...any) {
	r.Denials = append(r.Denials, denial.New(reason, "%s: %s", r.name(), fmt.Sprintf(format, args...)))
}

// DigestOf is the digest of a folder: its files' contents by path. Two folders
// with the same digest hold the same files, byte for byte.
func DigestOf(contents map[string][]byte) string {
	files := make([]File, 0, len(contents))
	for path, content := range contents {
		files = append(files, File{Path: path, Digest: sha256.Sum256(content)})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return digestOf(files)
}

func digestOf(files []File) string {
	hash := sha256.New()
	var length [8]byte
	for _, file := range files {
		binary.BigEndian.PutUint64(length[:], uint64(len(file.Path)))
		hash.Write(length[:])
		hash.Write([]byte(file.Path))
		hash.Write(file.Digest[:])
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}
