package catalog

import (
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Finder yields the releases of a plugin in one namespace, sorted by version;
// none for a plugin that is not there.
type Finder func(plugin string) []*Release

// Resolve chooses the releases that plugins ask for, in their order. What
// cannot be given is left out of the releases and stands in the denials.
func Resolve(namespace string, plugins []annotations.PluginRef, find Finder) ([]*Release, denial.List) {
	chosen := make([]*Release, 0, len(plugins))
	var denied denial.List
	for _, ref := range plugins {
		release, problem := choose(namespace, ref, find(ref.Name))
		switch {
		case release == nil:
			denied = append(denied, problem)
		case len(release.Denials) > 0:
			denied = append(denied, release.Denials...)
		default:
			chosen = append(chosen, release)
		}
	}
	return chosen, denied
}

func choose(namespace string, ref annotations.PluginRef, releases []*Release) (*Release, denial.Denial) {
	if len(releases) == 0 {
		return nil, denial.New(denial.UnknownPlugin,
			"plugin %q: no ConfigMap in namespace %q is labelled %s=%s; make one with \"kubectl kongdao pack\"",
			ref.Name, namespace, annotations.Plugin, ref.Name)
	}
	if ref.Version == "" {
		if len(releases) == 1 {
			return releases[0], denial.Denial{}
		}
		return nil, denial.New(denial.AmbiguousVersion,
			"plugin %q: namespace %q has %s, and annotation %s chooses none; write %q",
			ref.Name, namespace, versionsOf(releases), annotations.Plugins,
			annotations.PluginRef{Name: ref.Name, Version: releases[len(releases)-1].Version})
	}
	for _, release := range releases {
		if release.Version == ref.Version {
			return release, denial.Denial{}
		}
	}
	return nil, denial.New(denial.UnknownVersion,
		"plugin %q: namespace %q has %s; ask for one that is there, or label a ConfigMap of this version %s=%s",
		ref, namespace, versionsOf(releases), annotations.PluginVersion, ref.Version)
}

func versionsOf(releases []*Release) string {
	var named []string
	unnamed := false
	for _, release := range releases {
		if release.Version == "" {
			unnamed = true
			continue
		}
		named = append(named, release.Version)
	}
	var said []string
	if len(named) > 0 {
		said = append(said, "versions "+denial.QuoteNames(named))
	}
	if unnamed {
		said = append(said, "a release without label "+annotations.PluginVersion)
	}
	return strings.Join(said, " and ")
}
