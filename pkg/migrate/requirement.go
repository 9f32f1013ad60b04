package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
)

// Set is the plugins of a pod that bring migrations, sorted by name.
type Set []v1alpha1.PluginMigrations

// Requirement is what a pod needs before Kong in it can start, or serve.
type Requirement struct {
	Database v1alpha1.Database
	Set      Set
	// Image is Kong's.
	Image string
	// Container is the name of the container that Kong runs in.
	Container string
	Mode      annotations.MigrationsMode
}

// RequirementOf yields what a pod in a namespace needs that is given releases for a request. It is
// false for a pod that needs no migration, or whose database is not ours to
// migrate: it is off, the pod is a data plane, or annotation kongdao.io/migrations
// says so.
func RequirementOf(namespace string, pod mutate.Pod, request annotations.Request, releases []*catalog.Release) (Requirement, bool) {
	return needOf(namespace, pod, request, setOfReleases(releases))
}

// RequirementOfInjected is RequirementOf for a pod that was injected before, by the mark that
// tells which releases it was given. It is false for a pod without that mark.
// The names of migrations are not known: see Named.
func RequirementOfInjected(namespace string, pod mutate.Pod) (Requirement, bool) {
	mark, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		return Requirement{}, false
	}
	set := make(Set, 0, len(mark.Releases))
	seen := map[string]bool{}
	for _, marked := range mark.Releases {
		odd := annotations.ValidatePluginName(marked.Plugin) != nil || marked.Version != "" && annotations.ValidateVersion(marked.Version) != nil
		if odd || seen[marked.Plugin] {
			return Requirement{}, false // no injection has left that
		}
		seen[marked.Plugin] = true
		if marked.Migrations != "" {
			set = append(set, v1alpha1.PluginMigrations{
				Name: marked.Plugin, Version: marked.Version, ReleaseDigest: marked.Digest, MigrationsDigest: marked.Migrations,
			})
		}
	}
	request, _ := annotations.Parse(pod.Annotations)
	return needOf(namespace, pod, request, set.sorted())
}

func needOf(namespace string, pod mutate.Pod, request annotations.Request, set Set) (Requirement, bool) {
	if len(set) == 0 || request.Migrations == annotations.MigrationsOff {
		return Requirement{}, false
	}
	container := mutate.KongContainer(pod, request)
	if container == nil {
		return Requirement{}, false
	}
	database, reachable := DatabaseOf(namespace, container)
	if !reachable {
		return Requirement{}, false
	}
	return Requirement{Database: database, Set: set, Image: container.Image, Container: container.Name, Mode: request.Migrations}, true
}

func setOfReleases(releases []*catalog.Release) Set {
	set := make(Set, 0, len(releases))
	for _, release := range releases {
		if release.MigrationsDigest != "" {
			set = append(set, pluginOf(release))
		}
	}
	return set.sorted()
}

func pluginOf(release *catalog.Release) v1alpha1.PluginMigrations {
	plugin := v1alpha1.PluginMigrations{
		Name: release.Plugin, Version: release.Version, ReleaseDigest: release.Digest, MigrationsDigest: release.MigrationsDigest,
	}
	for _, migration := range release.Migrations() {
		plugin.Migrations = append(plugin.Migrations, v1alpha1.Migration{Name: migration.Name, Digest: migration.Digest})
	}
	return plugin
}

// Named is the set with the names of its migrations, as far as find still has
// releases with these migrations.
func (s Set) Named(find catalog.Finder) Set {
	named := slices.Clone(s)
	for i := range named {
		for _, release := range find(named[i].Name) {
			if release.MigrationsDigest == named[i].MigrationsDigest {
				named[i].Migrations = pluginOf(release).Migrations
			}
		}
	}
	return named
}

func (s Set) sorted() Set {
	slices.SortFunc(s, func(a, b v1alpha1.PluginMigrations) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Request is the set as a pod asks for it: "dao-test@1.1.0, my_plugin".
func (s Set) Request() string {
	refs := make([]string, len(s))
	for i, plugin := range s {
		refs[i] = annotations.PluginRef{Name: plugin.Name, Version: plugin.Version}.String()
	}
	return strings.Join(refs, ", ")
}

// Record names the PluginMigration of the need: by what it says, so that the
// webhook and the controller, of any replica, find the same one.
func (n Requirement) MigrationName() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n", n.Database.Key)
	for _, plugin := range n.Set {
		fmt.Fprintf(hash, "%s %s\n", plugin.Name, plugin.MigrationsDigest)
	}
	return prefix(n.Set) + hex.EncodeToString(hash.Sum(nil))[:10]
}

// longestPrefix leaves room behind it in a name that is also a label's value,
// for what Jobs are called.
const longestPrefix = 32

// prefix is what people read in a record's name: "dao-test-".
func prefix(set Set) string {
	name := strings.Trim(strings.ReplaceAll(strings.ToLower(set[0].Name), "_", "-"), "-")
	if len(set) > 1 {
		name += fmt.Sprintf("-and-%d-more", len(set)-1)
	}
	return strings.TrimRight(name[:min(len(name), longestPrefix)], "-") + "-"
}

// Spec is what the need's PluginMigration says.
func (n Requirement) Spec() v1alpha1.PluginMigrationSpec {
	return v1alpha1.PluginMigrationSpec{Request: n.Set.Request(), Database: n.Database, Plugins: n.Set, Image: n.Image}
}
