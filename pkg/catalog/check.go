package catalog

import (
	"path"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// check adds to the release's denials everything that Kong, or the kubelet,
// would fail on.
func (r *Release) check(sources []Source) {
	r.checkFolders()
	for _, needed := range []string{handlerFile, schemaFile} { // K7
		if !r.Has(needed) {
			r.deny(denial.BrokenPlugin, "no %s in %s; add it, for without it Kong does not start", needed, r.sourceNames())
		}
	}
	list := r.migrationsList()
	if r.HasEntities() && (list == nil || list.lists.isEmpty()) { // K5
		r.deny(denial.BrokenPlugin,
			"%s without %s in %s; add the migrations that make its tables, for without them every request that uses the entities answers 500",
			daosFile, migrationsInit, r.sourceNames())
	}
	r.checkMigrations(list)
	r.checkDigest(sources)
}

// migrationsList is the file that Kong reads the list of migrations from, nil
// where there is none (K2).
func (r *Release) migrationsList() *File {
	if module := r.file(migrationsModule); module != nil {
		return module
	}
	return r.file(migrationsInit)
}

// checkMigrations denies a list that names files which are not there (K6).
func (r *Release) checkMigrations(list *File) {
	if list == nil || list.lists == nil || !list.lists.Literal {
		return
	}
	for _, name := range list.lists.Names {
		if r.migrationFile(name) == nil {
			wanted := path.Join(annotations.MigrationsFolder, strings.ReplaceAll(name, ".", "/")) + luaSuffix
			r.deny(denial.BrokenPlugin, "%s lists %s, but there is no %s in %s; add the file, or take it out of the list",
				list.Path, denial.Quote(name), denial.Quote(wanted), r.sourceNames())
		}
	}
}

// checkFolders denies a path that is a file and a folder at once: no volume
// can hold it. A root file named "migrations" would also hide the mount of the
// migrations (V5).
func (r *Release) checkFolders() {
	for _, file := range r.Files {
		if file.Path == annotations.MigrationsFolder {
			r.deny(denial.BrokenPlugin, "%s is a file, where the folder of the migrations belongs; rename the key", place(file))
			continue
		}
		for folder := path.Dir(file.Path); folder != "."; folder = path.Dir(folder) {
			if other := r.file(folder); other != nil && folder != annotations.MigrationsFolder {
				r.deny(denial.ConflictingSources, "%q is a file in %s and a folder in %s; rename one of them",
					folder, place(*other), place(file))
			}
		}
	}
}

// checkDigest compares the files with the digests that sources declare: a
// release that lacks one of its parts, or mixes two packings, is denied before
// a gateway loads half a plugin.
func (r *Release) checkDigest(sources []Source) {
	var declared, bare []string
	digests := map[string]bool{}
	for _, source := range sources {
		if source.Digest == "" {
			bare = append(bare, source.Name)
			continue
		}
		declared = append(declared, source.Name)
		digests[source.Digest] = true
	}
	switch {
	case len(digests) > 1:
		r.deny(denial.ConflictingSources, "%s are of different packings of it; delete the older ones, or pack with another VERSION",
			configMaps(declared))
	case len(digests) == 1 && len(bare) == 0 && !digests[r.Digest]:
		r.deny(denial.ConflictingSources, "the files in %s are not what annotation %s says; a part is missing or was edited: apply all that \"kubectl kongdao pack\" wrote",
			configMaps(declared), annotations.Digest)
	case len(digests) == 1 && len(bare) > 0 && !digests[r.Digest]:
		r.deny(denial.ConflictingSources, "%s hold a packed release, to which %s cannot be added; delete the latter, or give it another value of label %s",
			configMaps(declared), configMaps(bare), annotations.PluginVersion)
	}
}

func (r *Release) sourceNames() string {
	names := make([]string, len(r.Sources))
	for i, source := range r.Sources {
		names[i] = source.Name
	}
	return configMaps(names)
}

func configMaps(names []string) string {
	if len(names) == 1 {
		return "ConfigMap " + denial.QuoteNames(names)
	}
	return "ConfigMaps " + denial.QuoteNames(names)
}
