package catalog

import (
	"path"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// validate denies everything in the release that makes Kong or the kubelet fail.
func (r *assembledRelease) validate(sources []Source) {
	r.validateFolders()
	r.check()
	r.validateDigest(sources)
}

// check denies a release on which all versions of Kong fail, unless a source forces it.
func (r *assembledRelease) check() {
	for _, finding := range checks.Check(r.Checked(checks.KongVersion{})) {
		if finding.Severity == checks.Error && !r.IsForced {
			r.denyFinding(finding)
		}
		if len(r.Findings) < maxReleaseFindings {
			r.Findings = append(r.Findings, finding)
		}
	}
}

// migrationsList returns the file that returns the list of migrations, or nil if there is none.
func (r *Release) migrationsList() *File {
	if module := r.file(checks.MigrationsModule); module != nil {
		return module
	}
	return r.file(checks.MigrationsInit)
}

// validateFolders denies a path that is both a file and a directory, because no volume can hold it. It also denies a
// file named "migrations": under a nested mount, the kubelet replaces that entry by an empty directory (fact V5).
func (r *assembledRelease) validateFolders() {
	for _, file := range r.Files {
		if file.Path == annotations.MigrationsFolder {
			r.deny(denial.BrokenPlugin, "%s is a file in the place of the migrations directory; rename the key", file)
			continue
		}
		for folder := path.Dir(file.Path); folder != "."; folder = path.Dir(folder) {
			if other := r.file(folder); other != nil && folder != annotations.MigrationsFolder {
				r.deny(denial.ConflictingSources, "%q is a file in %s and a directory in %s; rename one of them",
					folder, *other, file)
			}
		}
	}
}

// validateDigest compares the files with the digests in the sources' annotations. It denies a release that lacks a part
// or mixes two packings, so that no gateway loads half a plugin.
func (r *assembledRelease) validateDigest(sources []Source) {
	var packed, unpacked []string
	digests := map[string]bool{}
	for _, source := range sources {
		if source.Digest == "" {
			unpacked = append(unpacked, source.Name)
			continue
		}
		packed = append(packed, source.Name)
		digests[source.Digest] = true
	}
	r.IsComplete = len(digests) == 1 && len(unpacked) == 0 && digests[r.Digest]
	switch {
	case len(digests) > 1:
		r.deny(denial.ConflictingSources,
			"%s belong to different packings of this release; delete the older ones, or pack with another VERSION",
			denial.QuoteConfigMaps(packed))
	case len(digests) == 1 && len(unpacked) == 0 && !digests[r.Digest]:
		r.deny(denial.ConflictingSources,
			"the files in %s do not match the annotation %s, because a part is missing or was changed; "+
				"apply the whole output of \"kubectl kongdao pack\". If all parts exist, a tool has changed the files, for "+
				"example blank lines at their ends. Then pack the plugin again with this version of kongdao",
			denial.QuoteConfigMaps(packed), annotations.Digest)
	case len(digests) == 1 && len(unpacked) > 0 && !digests[r.Digest]:
		r.deny(denial.ConflictingSources,
			"%s hold a packed release, which cannot be extended by %s; "+
				"delete %s, or give it another value of the label %s",
			denial.QuoteConfigMaps(packed), denial.QuoteConfigMaps(unpacked), denial.QuoteConfigMaps(unpacked),
			annotations.PluginVersion)
	}
}

// sourceNames returns the names of the release's ConfigMaps, for messages.
func (r *Release) sourceNames() string {
	names := make([]string, len(r.Sources))
	for i, source := range r.Sources {
		names[i] = source.Name
	}
	return denial.QuoteConfigMaps(names)
}
