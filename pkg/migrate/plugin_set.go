package migrate

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
)

// PluginSet is the plugins of a pod that have migrations, sorted by name.
type PluginSet []v1alpha1.PluginMigrations

// pluginsOfReleases returns the set of the releases that have migrations.
func pluginsOfReleases(releases []*catalog.Release) PluginSet {
	set := make(PluginSet, 0, len(releases))
	for _, release := range releases {
		if release.MigrationsDigest != "" {
			set = append(set, migrationsOf(release))
		}
	}
	return set.sorted()
}

// pluginsOfRecord returns the set of the releases in an injection record. It does not know the names of migrations: see
// WithNames. It returns false for a record that no injection writes.
func pluginsOfRecord(record mutate.InjectionRecord) (PluginSet, bool) {
	set := make(PluginSet, 0, len(record.Releases))
	seen := map[string]bool{}
	for _, release := range record.Releases {
		if annotations.ValidatePluginName(release.Plugin) != nil ||
			release.Version != "" && annotations.ValidateVersion(release.Version) != nil || seen[release.Plugin] {
			return nil, false
		}
		seen[release.Plugin] = true
		if release.Migrations != "" {
			set = append(set, v1alpha1.PluginMigrations{
				Name: release.Plugin, Version: release.Version,
				ReleaseDigest: release.Digest, MigrationsDigest: release.Migrations,
			})
		}
	}
	return set.sorted(), true
}

func migrationsOf(release *catalog.Release) v1alpha1.PluginMigrations {
	plugin := v1alpha1.PluginMigrations{
		Name: release.Plugin, Version: release.Version,
		ReleaseDigest: release.Digest, MigrationsDigest: release.MigrationsDigest,
	}
	for _, migration := range release.Migrations() {
		plugin.Migrations = append(plugin.Migrations, v1alpha1.Migration{Name: migration.Name, Digest: migration.Digest})
	}
	return plugin
}

// WithNames returns a copy of the set with the names of its migrations. It leaves them out for a plugin for which find
// returns none.
func (s PluginSet) WithNames(find func(plugin, migrationsDigest string) []v1alpha1.Migration) PluginSet {
	named := slices.Clone(s)
	for i := range named {
		if names := find(named[i].Name, named[i].MigrationsDigest); names != nil {
			named[i].Migrations = names
		}
	}
	return named
}

// NamesOf returns the names of the migrations with a digest, from the release that has them. It returns nil if no
// release has.
func NamesOf(releases []*catalog.Release, migrationsDigest string) []v1alpha1.Migration {
	for _, release := range releases {
		if release.MigrationsDigest == migrationsDigest {
			return migrationsOf(release).Migrations
		}
	}
	return nil
}

// request returns the set as the annotation of a pod: "dao-test@1.1.0, my_plugin".
func (s PluginSet) request() string {
	refs := make([]string, len(s))
	for i, plugin := range s {
		refs[i] = annotations.PluginRef{Name: plugin.Name, Version: plugin.Version}.String()
	}
	return strings.Join(refs, ", ")
}

// maxPrefixLength leaves room for a hash and the suffix of a Job in a name that must also be a label value.
const maxPrefixLength = 32

// namePrefix returns the readable part of a PluginMigration's name: "dao-test-".
func (s PluginSet) namePrefix() string {
	name := strings.Trim(strings.ReplaceAll(strings.ToLower(s[0].Name), "_", "-"), "-")
	if len(s) > 1 {
		name += fmt.Sprintf("-and-%d-more", len(s)-1)
	}
	return strings.TrimRight(name[:min(len(name), maxPrefixLength)], "-") + "-"
}

func (s PluginSet) sorted() PluginSet {
	slices.SortFunc(s, func(a, b v1alpha1.PluginMigrations) int { return strings.Compare(a.Name, b.Name) })
	return s
}
