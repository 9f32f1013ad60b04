package catalog

import (
	"path"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// validate denies everything in the release that makes Kong or the kubelet fail.
func (r *assembledRelease) validate(sources []Source) {
	r.validateFolders()
	// Kong does not start without the handler or the schema (fact K7).
	for _, file := range []string{HandlerFile, schemaFile} {
		if !r.has(file) {
			r.deny(denial.BrokenPlugin, "no %s in %s; add it, because Kong does not start without it",
				file, r.sourceNames())
		}
	}
	list := r.migrationsList()
	// With entities but without migrations, Kong starts, and requests that use the entities answer 500 (fact K5).
	if r.HasEntities() && (list == nil || list.list.isEmpty()) {
		r.deny(denial.BrokenPlugin,
			"%s without %s in %s; add the migrations that create its tables, "+
				"because otherwise every request that uses the entities answers 500",
			daosFile, migrationsInit, r.sourceNames())
	}
	r.validateMigrations(list)
	r.validateDigest(sources)
}

// migrationsList returns the file that returns the list of migrations, or nil if there is none.
func (r *Release) migrationsList() *File {
	if module := r.file(migrationsModule); module != nil {
		return module
	}
	return r.file(migrationsInit)
}

// validateMigrations denies a list that names a missing file, because Kong then does not start (fact K6).
func (r *assembledRelease) validateMigrations(list *File) {
	if list == nil || list.list == nil {
		return
	}
	if list.list.excess != "" {
		r.deny(denial.LimitExceeded, "%s %s; let it require modules that return parts of the list",
			list.Path, list.list.excess)
		return
	}
	if !list.list.Literal {
		return
	}
	names := r.sourceNames()
	for _, name := range list.list.Names {
		if r.migrationFile(name) == nil {
			r.deny(denial.BrokenPlugin, "%s lists %s, but there is no %s in %s; add the file, or remove the name from the list",
				list.Path, denial.Quote(name), denial.Quote(migrationPath(name)+LuaSuffix), names)
		}
	}
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
	switch {
	case len(digests) > 1:
		r.deny(denial.ConflictingSources,
			"%s belong to different packings of this release; delete the older ones, or pack with another VERSION",
			denial.QuoteConfigMaps(packed))
	case len(digests) == 1 && len(unpacked) == 0 && !digests[r.Digest]:
		r.deny(denial.ConflictingSources,
			"the files in %s do not match the annotation %s, because a part is missing or was edited; "+
				"apply the whole output of \"kubectl kongdao pack\"",
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

// migrationPath returns the path of a migration without its suffix.
func migrationPath(name string) string {
	return path.Join(annotations.MigrationsFolder, strings.ReplaceAll(name, ".", "/"))
}
