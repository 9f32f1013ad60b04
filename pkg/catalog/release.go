package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// Release is a plugin's files at one version, assembled from its sources.
type Release struct {
	Plugin string
	// Version is "" if the sources name no version.
	Version string
	// Digest is "sha256:" and 64 hexadecimal digits, over paths and contents.
	Digest string
	// Files are the files of the plugin's directory, sorted by path.
	Files []File
	// MigrationsDigest is the digest of the files that belong to the migrations, or "" for a plugin without migrations.
	MigrationsDigest string
	// Sources are the ConfigMaps of the release, sorted by name.
	Sources []SourceRef
	// Library is the namespace that the files come from, or "" for the namespace of the pod.
	Library string
	// Copies are the ConfigMaps that carry the files of a library's release to the namespace of the pod. It is nil for
	// other releases.
	Copies []Copy
	// Findings are what the checks found, for all versions of Kong. A release has at most a few dozen.
	Findings []checks.Finding
	// Denials says why no pod can get the release. It is empty for a valid release. A release has at most a few dozen.
	Denials denial.List
	// IsForced is true if a source has the annotation kongdao.io/force. Then findings do not deny the release.
	IsForced bool
	// IsComplete is true if all sources have the same digest, and the files match it.
	IsComplete bool
	// AllVersions is true if the release stands for all versions of the plugin, because its sources are over a limit. It
	// has one denial.
	AllVersions bool
}

// SourceRef refers to a ConfigMap of a release.
type SourceRef struct {
	Name      string
	Immutable bool
}

// File is one file of a release.
type File struct {
	// Path is relative to the plugin's directory: "migrations/init.lua".
	Path string
	// Source and Key are the names of the ConfigMap and of the key with the content.
	Source, Key string
	// Immutable is true if the source is immutable.
	Immutable bool
	// Size is the size in bytes.
	Size int
	// Digest is the SHA-256 of the content.
	Digest [sha256.Size]byte
	// summary is what the checks keep of a Lua file, or nil for other files.
	summary *checks.Summary
}

// IsMigration reports whether the file is in the directory of the migrations, which has its own mount.
func (f File) IsMigration() bool {
	return strings.HasPrefix(f.Path, annotations.MigrationsFolder+"/")
}

// String describes where the file comes from, for messages.
func (f File) String() string { return fmt.Sprintf("ConfigMap %q (key %q)", f.Source, f.Key) }

// HasEntities reports whether the plugin has its own database entities.
func (r *Release) HasEntities() bool {
	daos := r.file(checks.DAOsFile)
	return daos != nil && daos.summary.HasEntities()
}

func (r *Release) file(path string) *File {
	i, found := slices.BinarySearchFunc(r.Files, path, func(f File, path string) int {
		return strings.Compare(f.Path, path)
	})
	if !found {
		return nil
	}
	return &r.Files[i]
}

// DigestOf returns the digest of a directory, given as contents by path. Directories with the same digest have the same
// files, byte for byte.
func DigestOf(contents map[string][]byte) string {
	files := make([]File, 0, len(contents))
	for path, content := range contents {
		files = append(files, File{Path: path, Digest: sha256.Sum256(content)})
	}
	slices.SortFunc(files, compareFiles)
	return digestOf(files)
}

func compareFiles(a, b File) int { return strings.Compare(a.Path, b.Path) }

// digestOf returns the digest of files that are sorted by path.
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

// Checked returns what the checks read of the release, for a version of Kong.
func (r *Release) Checked(version checks.KongVersion) checks.Release {
	files := make(map[string]*checks.Summary, len(r.Files))
	for _, file := range r.Files {
		files[file.Path] = file.summary
	}
	return checks.Release{Plugin: r.Plugin, Files: files, KongVersion: version}
}
