package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// Assemble builds the releases from all sources of one plugin in one namespace. It returns them sorted by version, the
// oldest first. A release with problems has Denials.
func Assemble(plugin string, sources []Source) []*Release {
	versions := map[string][]Source{}
	for _, source := range sources {
		versions[source.Version] = append(versions[source.Version], source)
	}
	releases := make([]*Release, 0, len(versions))
	for _, version := range slices.SortedFunc(maps.Keys(versions), CompareVersions) {
		releases = append(releases, assembleRelease(plugin, version, versions[version]))
	}
	return releases
}

func assembleRelease(plugin, version string, sources []Source) *Release {
	// Immutable sources come first. If two sources have the same file, the pod mounts the one that cannot change.
	slices.SortFunc(sources, func(a, b Source) int {
		return cmp.Or(compareBools(b.Immutable, a.Immutable), strings.Compare(a.Name, b.Name))
	})
	release := &assembledRelease{Release: &Release{Plugin: plugin, Version: version}}
	if version != "" {
		if err := annotations.ValidateVersion(version); err != nil {
			release.deny(denial.BrokenPlugin, "%s of its ConfigMaps: %v", annotations.PluginVersion, err)
		}
	}
	for _, source := range sources {
		release.IsForced = release.IsForced || source.IsForced
		release.Sources = append(release.Sources, SourceRef{Name: source.Name, Immutable: source.Immutable})
	}
	slices.SortFunc(release.Sources, func(a, b SourceRef) int { return strings.Compare(a.Name, b.Name) })
	if release.denyExcess(sources) {
		return release.Release
	}
	release.Files = release.collectFiles(sources)
	release.Digest = digestOf(release.Files)
	release.MigrationsDigest = release.migrationsDigest()
	release.validate(sources)
	release.denyOmitted()
	return release.Release
}

// assembledRelease is a release while it is assembled.
type assembledRelease struct {
	*Release
	hasMoreDenials bool
}

// deny adds a denial.
func (r *assembledRelease) deny(reason denial.Reason, format string, args ...any) {
	ref := annotations.PluginRef{Name: r.Plugin, Version: r.Version}
	r.add(denial.New(reason, "plugin %q: %s", ref, fmt.Sprintf(format, args...)))
}

// denyFinding adds a denial for an error that the checks found.
func (r *assembledRelease) denyFinding(finding checks.Finding) {
	if len(r.Denials) >= maxReleaseDenials {
		r.hasMoreDenials = true
		return
	}
	place := ""
	if file := r.file(finding.File); file != nil {
		place = file.String()
	} else {
		place = r.sourceNames()
	}
	ref := annotations.PluginRef{Name: r.Plugin, Version: r.Version}
	denied := denial.New(denial.BrokenPlugin, "plugin %q in %s: %s", ref, place, finding)
	denied.Rule = finding.Rule
	r.add(denied)
}

// add adds a denial. Of many denials, it keeps the first ones.
func (r *assembledRelease) add(denied denial.Denial) {
	if len(r.Denials) == maxReleaseDenials {
		r.hasMoreDenials = true
		return
	}
	r.Denials = append(r.Denials, denied)
}

// denyOmitted adds a denial that says that others are omitted.
func (r *assembledRelease) denyOmitted() {
	if r.hasMoreDenials {
		ref := annotations.PluginRef{Name: r.Plugin, Version: r.Version}
		r.Denials = append(r.Denials, denial.New(r.Denials.Reason(),
			"plugin %q: there are more problems; fix these first", ref))
	}
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

// invalidPath describes a key that is not a path.
func invalidPath(source, key string, err error) string {
	return fmt.Sprintf("ConfigMap %q, key %s: %v", source, denial.Quote(key), err)
}

// collectFiles maps every key to its file, and denies sources that contradict each other. It returns the files sorted
// by path.
func (r *assembledRelease) collectFiles(sources []Source) []File {
	byPath := map[string]File{}
	paths := newKeyPaths(sources)
	for _, source := range sources {
		for _, key := range source.Keys {
			path, err := paths.path(source.Folder, key.Name)
			if err != nil {
				r.deny(denial.BrokenPlugin, "%s", invalidPath(source.Name, key.Name, err))
				continue
			}
			file := File{
				Path: path, Source: source.Name, Key: key.Name, Immutable: source.Immutable,
				Size: key.Size, Digest: key.Digest, summary: key.Summary,
			}
			other, exists := byPath[path]
			switch {
			case !exists:
				byPath[path] = file
			case other.Digest != file.Digest:
				r.deny(denial.ConflictingSources,
					"file %q differs between %s and %s; delete one of them, or give them different values of the label %s",
					path, other, file, annotations.PluginVersion)
			}
		}
	}
	return slices.SortedFunc(maps.Values(byPath), compareFiles)
}
