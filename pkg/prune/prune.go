// Package prune owns which releases "kubectl kongdao prune" deletes: old ones that nothing uses. It is pure: the
// command reads what uses releases, and deletes ConfigMaps.
package prune

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
)

// Use says that something needs a release.
type Use struct {
	Release annotations.PluginRef
	// By names it for messages: `ReplicaSet "kong/kong-5b8f6d7c9"`.
	By string
}

// Decision says what to do with a release.
type Decision struct {
	Release *catalog.Release
	// Keep says why the release stays. It is empty for a release to delete.
	Keep string
}

// UsesOf returns the releases that the annotations of a pod or pod template name: requested versions, pins, and the
// injection record.
func UsesOf(podAnnotations map[string]string, by string) []Use {
	var uses []Use
	request, _ := annotations.Parse(podAnnotations)
	for _, ref := range slices.Concat(request.Plugins, request.Pins) {
		if ref.Version != "" || ref.IsPin {
			uses = append(uses, Use{annotations.PluginRef{Name: ref.Name, Version: ref.Version}, by})
		}
	}
	record, _ := mutate.ParseInjectionRecord(podAnnotations) // most objects have none
	for _, release := range record.Releases {
		uses = append(uses, Use{annotations.PluginRef{Name: release.Plugin, Version: release.Version}, by})
	}
	return uses
}

// Decide decides about the releases of a plugin, which are sorted by version. The newest ones without problems stay,
// and all newer ones with problems, which may not be complete yet. At least one stays.
func Decide(releases []*catalog.Release, uses []Use, keepNewest int) []Decision {
	users := map[annotations.PluginRef]string{}
	for _, use := range uses {
		if by, known := users[use.Release]; !known || use.By < by {
			users[use.Release] = use.By
		}
	}
	newest := max(keepNewest, 1)
	decisions := make([]Decision, 0, len(releases))
	for _, release := range slices.Backward(releases) {
		decision := Decision{Release: release}
		by, isUsed := users[annotations.PluginRef{Name: release.Plugin, Version: release.Version}]
		switch {
		case release.AllVersions:
			decision.Keep = "the sources are over a limit"
		case newest > 0 && len(release.Denials) > 0:
			decision.Keep = "it is newer than the newest release without problems"
		case newest > 0:
			newest--
			decision.Keep = "it is one of the newest"
		case isUsed:
			decision.Keep = by + " uses it"
		case slices.ContainsFunc(release.Sources, func(source catalog.SourceRef) bool { return !source.Immutable }):
			decision.Keep = "it is mutable"
		}
		decisions = append(decisions, decision)
	}
	slices.Reverse(decisions)
	return decisions
}

// String describes a decision in a line.
func (d Decision) String() string {
	ref := annotations.PluginRef{Name: d.Release.Plugin, Version: d.Release.Version}
	if d.Keep != "" {
		return fmt.Sprintf("keep %s: %s", ref, d.Keep)
	}
	names := make([]string, len(d.Release.Sources))
	for i, source := range d.Release.Sources {
		names[i] = source.Name
	}
	slices.SortFunc(names, cmp.Compare)
	return fmt.Sprintf("delete %s: ConfigMaps %s", ref, strings.Join(names, ", "))
}
