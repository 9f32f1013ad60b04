package policy

import (
	"fmt"
	"maps"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// Origin is where a plugin may come from.
type Origin struct {
	// Libraries are namespaces, sorted.
	Libraries []string
	// Only reports whether the plugin must not come from the pod's namespace, even if that has it.
	Only bool
}

// Namespaces returns the namespaces that the plugin of a pod in this namespace may come from.
func (o Origin) Namespaces(namespace string) []string {
	if o.Only {
		return o.Libraries
	}
	return append([]string{namespace}, o.Libraries...)
}

// String names the libraries for a message: library "a"; libraries "a" and "b".
func (o Origin) String() string {
	if len(o.Libraries) == 1 {
		return "library " + denial.QuoteNames(o.Libraries)
	}
	return "libraries " + denial.QuoteNames(o.Libraries)
}

// have begins a sentence about what the libraries have.
func (o Origin) have() string {
	if len(o.Libraries) == 1 {
		return o.String() + " has"
	}
	return o.String() + " have"
}

// MayCopy reports whether pods in a namespace with these policies may get a release of a library. The policies decide
// this and not the pods, because a pod's injection record can be forged.
func MayCopy(policies []*Policy, library string, ref annotations.PluginRef) bool {
	offered, required, allowed := false, false, true
	for _, policy := range policies {
		if policy.Audits {
			continue
		}
		offered = offered || policy.Library == library
		required = required || slices.ContainsFunc(policy.Plugins, func(plugin annotations.PluginRef) bool {
			return plugin.Name == ref.Name && (plugin.Version == "" || plugin.Version == ref.Version)
		})
		allowed = allowed && policy.allows(ref)
	}
	return offered && (required || allowed)
}

// ReleaseLookup returns the releases of a plugin in a namespace, sorted by version.
type ReleaseLookup func(namespace, plugin string) []*catalog.Release

// Finder returns the finder for a pod in this namespace. It finds each plugin where it may come from.
func (o *Outcome) Finder(namespace string, lookup ReleaseLookup) catalog.Finder {
	if o.Origins == nil {
		return func(plugin string) []*catalog.Release { return lookup(namespace, plugin) }
	}
	requested := annotations.ByName(o.Request.Plugins)
	return func(plugin string) []*catalog.Release {
		origin, hasLibraries := o.Origins[plugin]
		if !hasLibraries {
			return lookup(namespace, plugin)
		}
		releases, libraries := origin.releases(plugin, lookup)
		if len(releases) == 0 && !origin.Only {
			return lookup(namespace, plugin)
		}
		chosen := origin.choose(requested[plugin], releases)
		if len(chosen.Denials) > 0 {
			return []*catalog.Release{chosen}
		}
		library := origin.Libraries[0]
		if libraries != nil {
			library = libraries[chosen]
		}
		// Only the chosen release is copied: a library can have hundreds of versions.
		if library != namespace {
			chosen = chosen.CopiedFrom(library)
		}
		return []*catalog.Release{chosen}
	}
}

// releases returns the releases that the libraries have of a plugin, sorted by version, and the library of each. A
// version that two libraries have with different files becomes a release that is denied, without a library. With only
// one library, the map is nil.
func (o Origin) releases(
	plugin string, lookup ReleaseLookup,
) (releases []*catalog.Release, libraries map[*catalog.Release]string) {
	if len(o.Libraries) == 1 {
		return lookup(o.Libraries[0], plugin), nil
	}
	byVersion := map[string]*catalog.Release{}
	libraries = map[*catalog.Release]string{}
	for _, library := range o.Libraries {
		for _, release := range lookup(library, plugin) {
			other, exists := byVersion[release.Version]
			switch {
			case !exists:
				byVersion[release.Version] = release
				libraries[release] = library
			case other.Digest != release.Digest:
				ref := annotations.PluginRef{Name: plugin, Version: release.Version}
				byVersion[release.Version] = denied(ref, denial.ConflictingSources,
					"%s it with different files; delete all but one", o.have())
			}
		}
	}
	releases = make([]*catalog.Release, 0, len(byVersion))
	for _, version := range slices.SortedFunc(maps.Keys(byVersion), catalog.CompareVersions) {
		releases = append(releases, byVersion[version])
	}
	return releases, libraries
}

// choose returns the release of the libraries that is requested. If there is none, it returns a release whose denial
// names the libraries. A denial of the catalog would name the pod's namespace.
func (o Origin) choose(ref annotations.PluginRef, releases []*catalog.Release) *catalog.Release {
	if len(releases) == 0 {
		return denied(ref, denial.UnknownPlugin,
			"a policy requires it from %s, where no ConfigMap has the label %s=%s; "+
				"publish it there with \"kubectl kongdao pack\"", o, annotations.Plugin, ref.Name)
	}
	if chosen := catalog.Choose(ref, releases); chosen != nil {
		return chosen
	}
	if ref.IsPin {
		return &catalog.Release{Plugin: ref.Name, Denials: denial.List{catalog.MissingPin(ref, o.have(), releases)}}
	}
	return denied(ref, denial.UnknownVersion,
		"%s %s; request an existing version, or publish this one there", o.have(), catalog.DescribeVersions(releases))
}

// denied returns a release that no pod gets.
func denied(ref annotations.PluginRef, reason denial.Reason, format string, args ...any) *catalog.Release {
	return &catalog.Release{Plugin: ref.Name, Version: ref.Version, Denials: denial.List{
		denial.New(reason, "plugin %q: %s", ref.String(), fmt.Sprintf(format, args...)),
	}}
}
