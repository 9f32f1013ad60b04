// Package upgrade owns how a workload moves to other releases: which pins of its pod template change, which migrations
// follow, and when its rollout is complete. It is pure: "kubectl kongdao upgrade" and the controller for automatic
// rollouts read and write objects.
package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
)

// Workload is a Deployment, StatefulSet or DaemonSet.
type Workload struct {
	Namespace, Kind, Name string
	// Template is its pod template.
	Template mutate.Pod
}

// String names the workload in messages: Deployment "kong/kong-kong".
func (w *Workload) String() string { return fmt.Sprintf("%s %q", w.Kind, w.Namespace+"/"+w.Name) }

// Change is a plugin that moves to another release.
type Change struct {
	// From is the present pin. It is the zero value if there is none.
	From, To annotations.PluginRef
	// Digest is the digest of the new release.
	Digest string
	// Migrations are those of the new release that the old one does not have. If the old one is gone, they are all.
	Migrations []string
}

// Plan is what an upgrade changes.
type Plan struct {
	// Changes are in the order of the request. Without changes, there is nothing to do.
	Changes []Change
	// Pins is the new value of annotation kongdao.io/releases.
	Pins string
}

// NewPlan returns the plan that moves plugins of a workload to the targets. A target without a version is the newest
// release, unless it is a pin. Without targets, all plugins move that are requested without a version.
func NewPlan(workload Workload, targets []annotations.PluginRef, cluster decision.Cluster) (Plan, error) {
	request, malformed := annotations.Parse(workload.Template.Annotations)
	if len(malformed) > 0 {
		return Plan{}, malformed
	}
	targets, problems := movable(&workload, request.Plugins, targets)
	if len(targets) == 0 {
		return Plan{}, problems
	}
	admitted, err := admitWith(workload, request, targets, cluster)
	if denials, ok := errors.AsType[denial.List](err); ok || len(problems) > 0 {
		return Plan{}, append(problems, denials...).Sorted()
	}
	if err != nil {
		return Plan{}, err
	}
	names := make([]string, len(targets))
	for i, target := range targets {
		names[i] = target.Name
	}
	resolved := admitted.PinsTo(names)
	pins := decision.Pins{Kept: slices.DeleteFunc(slices.Clone(request.Pins), func(pin annotations.PluginRef) bool {
		return slices.Contains(names, pin.Name)
	})}
	plan := Plan{Pins: pins.Value(resolved)}
	present := annotations.ByName(request.Pins)
	for _, to := range resolved {
		if from := present[to.Name]; from != to {
			plan.Changes = append(plan.Changes, NewChange(workload.Namespace, from, to, &admitted, cluster))
		}
	}
	return plan, nil
}

// movable returns the targets that can move, or all plugins without a version if there are no targets. It also returns
// why the others cannot move. A version in the request overrides a pin.
func movable(
	workload *Workload, requested, targets []annotations.PluginRef,
) ([]annotations.PluginRef, denial.List) {
	if len(targets) == 0 {
		hasVersion := func(ref annotations.PluginRef) bool { return ref.Version != "" }
		targets = slices.DeleteFunc(slices.Clone(requested), hasVersion)
		if len(targets) == 0 {
			return nil, denial.List{denial.New(denial.UnknownPlugin, "%s requests no plugin without a version in annotation %s",
				workload, annotations.Plugins)}
		}
		return targets, nil
	}
	var problems denial.List
	var movable []annotations.PluginRef
	for _, target := range targets {
		at := slices.IndexFunc(requested, func(ref annotations.PluginRef) bool { return ref.Name == target.Name })
		switch {
		case at < 0:
			problems = append(problems, denial.New(denial.UnknownPlugin, "plugin %q: %s does not request it in annotation %s",
				target.Name, workload, annotations.Plugins))
		case requested[at].Version != "":
			problems = append(problems, denial.New(denial.UnknownVersion,
				"plugin %q: annotation %s of %s requests %q, and a version there overrides a pin; change the annotation",
				target.Name, annotations.Plugins, workload, requested[at]))
		default:
			movable = append(movable, target)
		}
	}
	return movable, problems
}

// admitWith decides about the pods of the workload if they requested the targets. A target without a version has no pin
// then, so it is the newest release.
func admitWith(
	workload Workload, request annotations.Request, targets []annotations.PluginRef, cluster decision.Cluster,
) (decision.Decision, error) {
	plugins := slices.Clone(request.Plugins)
	pins := slices.Clone(request.Pins)
	for _, target := range targets {
		isTarget := func(ref annotations.PluginRef) bool { return ref.Name == target.Name }
		pins = slices.DeleteFunc(pins, isTarget)
		if target.IsPin {
			pins = append(pins, target)
		} else if target.Version != "" {
			plugins[slices.IndexFunc(plugins, isTarget)] = target
		}
	}
	propagation := annotations.Propagation{Set: map[string]string{annotations.Plugins: annotations.FormatRefs(plugins)}}
	propagation.SetPins(workload.Template.Annotations, annotations.FormatRefs(pins))
	view := workload.Template
	view.Annotations = propagation.Apply(view.Annotations)
	admitted, err := decision.Admit(decision.Pod{Namespace: workload.Namespace, View: view}, cluster)
	if err == nil && len(admitted.Denials) > 0 {
		err = admitted.Denials
	}
	return admitted, err
}

// NewChange returns the change from a release to another one. The zero value means that the old one is unknown. The
// decision is about pods with the new release.
func NewChange(
	namespace string, from, to annotations.PluginRef, admitted *decision.Decision, cluster decision.Cluster,
) Change {
	change := Change{From: from, To: to}
	for _, release := range admitted.Releases {
		if release.Plugin == to.Name {
			change.Digest, change.Migrations = release.Digest, namesOf(release)
		}
	}
	if change.From.Name == "" {
		return change
	}
	for _, place := range admitted.Origins[to.Name].Namespaces(namespace) {
		if old := catalog.Choose(change.From, cluster.Releases(place, to.Name)); old != nil {
			had := namesOf(old)
			change.Migrations = slices.DeleteFunc(change.Migrations, func(name string) bool {
				return slices.Contains(had, name)
			})
			break
		}
	}
	return change
}

func namesOf(release *catalog.Release) []string {
	var names []string
	for _, migration := range release.Migrations() {
		names = append(names, migration.Name)
	}
	return names
}

// String describes the change in a line.
func (c Change) String() string {
	if c.From == c.To {
		return c.To.Name + ": changed sources"
	}
	from := versionText(c.From)
	if c.From.Name == "" {
		from = "(no pin)"
	}
	text := fmt.Sprintf("%s: %s -> %s", c.To.Name, from, versionText(c.To))
	if len(c.Migrations) > 0 {
		text += ", with migrations " + strings.Join(c.Migrations, ", ")
	}
	return text
}

func versionText(ref annotations.PluginRef) string {
	if ref.Version == "" {
		return "(no version)"
	}
	return ref.Version
}
