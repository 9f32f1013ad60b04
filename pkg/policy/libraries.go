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
	// Only: not from the pod's own namespace, whatever it has.
	Only bool
}

// Namespaces are those where the plugin of a pod in this one may come from.
func (o Origin) Namespaces(own string) []string {
	if o.Only {
		return o.Libraries
	}
	return append([]string{own}, o.Libraries...)
}

// MayCopy reports whether pods of a namespace with these policies may have a
// library's release. What a pod says of itself does not show it: whoever makes pods
// can write that down.
func MayCopy(policies []*Policy, library string, ref annotations.PluginRef) bool {
	offered, given, allowed := false, false, true
	for _, policy := range policies {
		if policy.Audits {
			continue
		}
		offered = offered || policy.Library == library
		given = given || slices.ContainsFunc(policy.Plugins, func(wanted annotations.PluginRef) bool {
			return wanted.Name == ref.Name && (wanted.Version == "" || wanted.Version == ref.Version)
		})
		allowed = allowed && policy.allows(ref)
	}
	return offered && (given || allowed)
}

// ReleaseLookup returns the releases of a plugin in a namespace, sorted by version.
type ReleaseLookup func(namespace, plugin string) []*catalog.Release

// Finder finds the releases for a pod of a namespace where the plugins of its request may come from.
func (o *Outcome) Finder(namespace string, lookup ReleaseLookup) catalog.Finder {
	if o.Origins == nil {
		return func(plugin string) []*catalog.Release { return lookup(namespace, plugin) }
	}
	requested := byName(o.Request.Plugins)
	return func(plugin string) []*catalog.Release {
		origin, restricted := o.Origins[plugin]
		if !restricted {
			return lookup(namespace, plugin)
		}
		found := fromLibraries(namespace, plugin, origin, lookup)
		if len(found) == 0 && !origin.Only {
			return lookup(namespace, plugin)
		}
		return origin.choose(requested[plugin], found)
	}
}

// fromLibraries yields a plugin's releases in libraries, as the pods of a
// namespace get them. A version that two libraries have with different files is
// one that is denied.
func fromLibraries(namespace, plugin string, origin Origin, all ReleaseLookup) []*catalog.Release {
	versions := map[string]*catalog.Release{}
	for _, library := range origin.Libraries {
		for _, release := range all(library, plugin) {
			if library != namespace {
				release = release.CopiedFrom(library)
			}
			before, there := versions[release.Version]
			switch {
			case !there:
				versions[release.Version] = release
			case before.Digest != release.Digest:
				versions[release.Version] = denied(annotations.PluginRef{Name: plugin, Version: release.Version}, denial.ConflictingSources,
					"the libraries %s have it with different files; keep one", denial.QuoteNames(origin.Libraries))
			}
		}
	}
	found := make([]*catalog.Release, 0, len(versions))
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		found = append(found, versions[version])
	}
	return found
}

// choose is the one of the libraries' releases that is asked for; where there is
// none, one that says so: the catalog would look for it in the pod's namespace.
func (o Origin) choose(ref annotations.PluginRef, found []*catalog.Release) []*catalog.Release {
	libraries := denial.QuoteNames(o.Libraries)
	if len(found) == 0 {
		return []*catalog.Release{denied(ref, denial.UnknownPlugin,
			"a policy has it come from the library %s, where no ConfigMap is labelled %s=%s; publish it there with \"kubectl kongdao pack\"", libraries, annotations.Plugin, ref.Name)}
	}
	if ref.Version == "" && len(found) == 1 {
		return found
	}
	versions := make([]string, len(found))
	for i, release := range found {
		if versions[i] = release.Version; ref.Version != "" && ref.Version == release.Version {
			return found[i : i+1]
		}
	}
	if ref.Version != "" {
		return []*catalog.Release{denied(ref, denial.UnknownVersion,
			"the library %s has it as %s; publish this version there, or have one asked for that is there", libraries, denial.QuoteNames(versions))}
	}
	latest := annotations.PluginRef{Name: ref.Name, Version: versions[len(versions)-1]}
	return []*catalog.Release{denied(ref, denial.AmbiguousVersion,
		"the library %s has it as %s, and neither a policy nor annotation %s chooses; write %q in one of them", libraries, denial.QuoteNames(versions), annotations.Plugins, latest.String())}
}

// denied is a release that no pod gets.
func denied(ref annotations.PluginRef, reason denial.Reason, format string, args ...any) *catalog.Release {
	return &catalog.Release{Plugin: ref.Name, Version: ref.Version, Denials: denial.List{
		denial.New(reason, "plugin %q: %s", ref.String(), fmt.Sprintf(format, args...)),
	}}
}
