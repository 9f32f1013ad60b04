package decision

import (
	"cmp"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// Pins are the releases that a workload's pod template names in annotation kongdao.io/releases, so that all of its pods
// have the same. Only plugins that are requested without a version need one.
type Pins struct {
	// Kept are the pins that stay.
	Kept []annotations.PluginRef
	// New are the plugins that are newly requested. They get their newest release.
	New []string
	// Unpinned are the plugins that were requested before there were pins. They get the releases that the pods of the
	// workload have.
	Unpinned []string
}

// PinsOf returns the pins for a change of a pod template. The arguments are the template's annotations, with those of
// its workload. For a new workload, old is nil. It returns false if the annotations are malformed: the pods of the
// template are denied then.
//
// A pin that the template has stays: a rollback to an older template restores its pins. A pin that was removed while
// the request stayed the same comes back, because a manifest that a person applies does not have it.
func PinsOf(template, old map[string]string) (Pins, bool) {
	request, malformed := annotations.Parse(template)
	if len(malformed) > 0 {
		return Pins{}, false
	}
	before, _ := annotations.Parse(old)
	current, former := annotations.ByName(request.Pins), annotations.ByName(before.Pins)
	requestedBefore := annotations.ByName(before.Plugins)
	var pins Pins
	for _, ref := range request.Plugins {
		pin, isPinned := current[ref.Name]
		formerPin, wasPinned := former[ref.Name]
		formerRef, wasRequested := requestedBefore[ref.Name]
		wasWithoutVersion := wasRequested && formerRef.Version == ""
		switch {
		case ref.Version != "":
		case isPinned && (old == nil || wasWithoutVersion || pin != formerPin):
			pins.Kept = append(pins.Kept, pin)
		case wasWithoutVersion && wasPinned:
			pins.Kept = append(pins.Kept, formerPin)
		case wasWithoutVersion:
			pins.Unpinned = append(pins.Unpinned, ref.Name)
		default:
			pins.New = append(pins.New, ref.Name)
		}
	}
	// Pins of plugins that only a policy requires stay. Those of plugins that are no longer requested go.
	requested := annotations.ByName(request.Plugins)
	for _, pin := range request.Pins {
		_, isRequested := requested[pin.Name]
		if _, wasRequested := requestedBefore[pin.Name]; !isRequested && !wasRequested {
			pins.Kept = append(pins.Kept, pin)
		}
	}
	return pins, true
}

// Value returns the value of annotation kongdao.io/releases, sorted by plugin. Resolved are the pins of the other
// plugins.
func (p *Pins) Value(resolved []annotations.PluginRef) string {
	all := slices.Concat(p.Kept, resolved)
	slices.SortFunc(all, func(a, b annotations.PluginRef) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	return annotations.FormatRefs(all)
}

// PinsTo returns the pins of some plugins to the releases of a decision. A plugin without a release gets no pin.
func (d *Decision) PinsTo(plugins []string) []annotations.PluginRef {
	var pins []annotations.PluginRef
	for _, release := range d.Releases {
		if slices.Contains(plugins, release.Plugin) {
			pins = append(pins, annotations.PluginRef{Name: release.Plugin, Version: release.Version, IsPin: true})
		}
	}
	return pins
}
