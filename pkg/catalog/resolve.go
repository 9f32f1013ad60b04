package catalog

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Finder returns the releases of a plugin in one namespace, sorted by version. It returns none for an unknown plugin.
type Finder func(plugin string) []*Release

// Resolve chooses a release for each requested plugin, in the order of the request. If it cannot choose a valid release
// for a plugin, it omits the plugin from the releases and adds a denial.
func Resolve(namespace string, plugins []annotations.PluginRef, find Finder) ([]*Release, denial.List) {
	chosen := make([]*Release, 0, len(plugins))
	var denials denial.List
	for _, ref := range plugins {
		releases := find(ref.Name)
		release := Choose(ref, releases)
		switch {
		case release == nil:
			denials = append(denials, missing(namespace, ref, releases))
		case len(release.Denials) > 0:
			denials = append(denials, release.Denials...)
		default:
			chosen = append(chosen, release)
		}
	}
	return chosen, denials
}

// Choose returns the release that a request refers to: the one of its version, or else the newest one without problems.
// If all have problems, it returns the newest. It returns nil if there is no such release. The releases are sorted by
// version.
func Choose(ref annotations.PluginRef, releases []*Release) *Release {
	if ref.Version != "" || ref.IsPin {
		if at := slices.IndexFunc(releases, func(r *Release) bool { return r.Version == ref.Version }); at >= 0 {
			return releases[at]
		}
	}
	if at := slices.IndexFunc(releases, func(r *Release) bool { return r.AllVersions }); at >= 0 {
		return releases[at]
	}
	if ref.Version != "" || ref.IsPin || len(releases) == 0 {
		return nil
	}
	for _, release := range slices.Backward(releases) {
		if len(release.Denials) == 0 {
			return release
		}
	}
	return releases[len(releases)-1]
}

// missing returns the denial of a request for a release that does not exist.
func missing(namespace string, ref annotations.PluginRef, releases []*Release) denial.Denial {
	switch {
	case len(releases) == 0:
		named := annotations.PluginRef{Name: ref.Name}
		if ref.IsPin {
			named = ref
		}
		return denial.New(denial.UnknownPlugin,
			"plugin %q: no ConfigMap in namespace %q has the label %s=%s; create one with \"kubectl kongdao pack\"",
			named, namespace, annotations.Plugin, ref.Name)
	case ref.IsPin:
		return MissingPin(ref, fmt.Sprintf("namespace %q has", namespace), releases)
	default:
		return denial.New(denial.UnknownVersion,
			"plugin %q: namespace %q has %s; request an existing version, "+
				"or give a ConfigMap with this version the label %s=%s",
			ref, namespace, DescribeVersions(releases), annotations.PluginVersion, ref.Version)
	}
}

// MissingPin returns the denial of a pinned release that does not exist. The text has begins a sentence about what
// exists: `namespace "kong" has`.
func MissingPin(ref annotations.PluginRef, has string, releases []*Release) denial.Denial {
	return denial.New(denial.PinnedReleaseMissing,
		"plugin %q: all pods of this template get this release, and it does not exist; %s %s; "+
			"publish it again, or move the workload: \"kubectl kongdao upgrade WORKLOAD %s\"",
		ref, has, DescribeVersions(releases), ref.Name)
}

// DescribeVersions lists the versions of releases, for messages.
func DescribeVersions(releases []*Release) string {
	var versions, parts []string
	unversioned := false
	for _, release := range releases {
		if release.Version == "" {
			unversioned = true
			continue
		}
		versions = append(versions, release.Version)
	}
	switch len(versions) {
	case 0:
	case 1:
		parts = append(parts, "version "+denial.QuoteNames(versions))
	default:
		parts = append(parts, "versions "+denial.QuoteNames(versions))
	}
	if unversioned {
		parts = append(parts, "a release without the label "+annotations.PluginVersion)
	}
	return strings.Join(parts, " and ")
}
