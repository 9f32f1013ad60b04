package catalog

import (
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
		release, problem := choose(namespace, ref, find(ref.Name))
		switch {
		case release == nil:
			denials = append(denials, problem)
		case len(release.Denials) > 0:
			denials = append(denials, release.Denials...)
		default:
			chosen = append(chosen, release)
		}
	}
	return chosen, denials
}

func choose(namespace string, ref annotations.PluginRef, releases []*Release) (*Release, denial.Denial) {
	if len(releases) == 0 {
		return nil, denial.New(denial.UnknownPlugin,
			"plugin %q: no ConfigMap in namespace %q has the label %s=%s; create one with \"kubectl kongdao pack\"",
			ref.Name, namespace, annotations.Plugin, ref.Name)
	}
	if ref.Version == "" || releases[0].AllVersions {
		if len(releases) == 1 {
			return releases[0], denial.Denial{}
		}
		return nil, denial.New(denial.AmbiguousVersion,
			"plugin %q: namespace %q has %s, and the annotation %s names no version; use %q",
			ref.Name, namespace, DescribeVersions(releases), annotations.Plugins,
			annotations.PluginRef{Name: ref.Name, Version: releases[len(releases)-1].Version})
	}
	for _, release := range releases {
		if release.Version == ref.Version {
			return release, denial.Denial{}
		}
	}
	return nil, denial.New(denial.UnknownVersion,
		"plugin %q: namespace %q has %s; request an existing version, "+
			"or give a ConfigMap with this version the label %s=%s",
		ref, namespace, DescribeVersions(releases), annotations.PluginVersion, ref.Version)
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
