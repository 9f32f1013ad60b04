// Package rollout owns when a workload moves to new releases by itself, and to which. It is pure: the controller reads
// and writes objects.
//
// A move starts when a newer release passes all checks and its sources no longer change. It waits while the previous
// rollout is unfinished or paused, or a migration is failed or held. A workload moves to a release only once, so that a
// rollback counts.
package rollout

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/upgrade"
)

// Workload is a Deployment, StatefulSet or DaemonSet.
type Workload struct {
	Namespace, Kind, Name string
	// Annotations are those of kongdao on the workload itself.
	Annotations map[string]string
	Template    mutate.Pod
	// Progress is that of the present rollout.
	Progress upgrade.Progress
	// Stuck says why the present rollout does not progress, "" if it does.
	Stuck string
}

// Facts are what a decision must know about the cluster.
type Facts struct {
	// Cluster has the policies of the workload's namespace and the releases. It gates no pod.
	Cluster decision.Cluster
	// Running returns the releases of the workload's newest pod, none without pods. Decide calls it only if the template
	// does not say enough.
	Running func() ([]mutate.ReleaseRecord, error)
	// Migration returns a PluginMigration of the workload's namespace, nil if it does not exist.
	Migration func(name string) *v1alpha1.PluginMigration
	// IsSettled reports whether the sources of a plugin in a namespace have not changed for some time.
	IsSettled func(namespace, plugin string) bool
}

// State is what happens to a workload.
type State string

// The states.
const (
	// Manual means that nothing asks for automatic rollouts.
	Manual State = ""
	// Invalid means that the annotation kongdao.io/rollout is malformed.
	Invalid State = "Invalid"
	// Current means that the workload has the newest releases, or had them already.
	Current State = "Current"
	// Unsettled means that sources have just changed. Decide again later.
	Unsettled State = "Unsettled"
	// Held means that newer releases exist, but something has to end first.
	Held State = "Held"
	// Moves means that the workload moves now.
	Moves State = "Moves"
)

// Outcome is what to do with a workload.
type Outcome struct {
	State State
	// Message says why, for people.
	Message string
	// Changes are the plugins that move.
	Changes []upgrade.Change
	// Workload and Template are the annotations to set on the workload and on its pod template.
	Workload, Template map[string]string
	// IsDenied reports whether the API server denied the move. Decide does not set it.
	IsDenied bool
	// IsRolledOut reports whether the template has a release of an automatic rollout. After a rollback, it has not.
	IsRolledOut bool
	// Failure says why the last automatic rollout does not succeed, "" if it does.
	Failure string
}

// Report is what was last reported about the automatic rollouts of a workload.
type Report struct {
	Workload v1alpha1.WorkloadReference
	// PodLabels are the labels of the pod template.
	PodLabels map[string]string
	// Status is the annotation kongdao.io/rollout-status: what moved, or why it waits or failed.
	Status string
}

// Decide decides about a workload. An error comes from the facts.
func Decide(workload Workload, facts Facts) (Outcome, error) {
	isAuto, err := ParseMode(workload.Annotations[annotations.Rollout])
	if err != nil {
		return Outcome{State: Invalid, Message: fmt.Sprintf("annotation %s: %v", annotations.Rollout, err)}, nil
	}
	request, malformed := annotations.Parse(workload.Template.Annotations)
	candidates := candidates(isAuto, workload.Annotations[annotations.Rollout] != "", request, facts.Cluster.Policies)
	if len(malformed) > 0 || len(candidates) == 0 {
		return Outcome{}, nil
	}
	d := decider{workload: workload, facts: facts, request: request}
	newest, err := decision.Admit(decision.Pod{
		Namespace: workload.Namespace, View: withPins(workload.Template, without(request.Pins, candidates)),
	}, facts.Cluster)
	if err != nil {
		return Outcome{}, err
	}
	outcome := Outcome{State: Current, IsRolledOut: d.isRolledOut()}
	if outcome.Failure, err = d.failure(); err != nil {
		return Outcome{}, err
	}
	if len(newest.Denials) > 0 {
		outcome.State, outcome.Message = Held, fmt.Sprintf("new pods would be denied: %v", newest.Denials)
		return outcome, nil
	}
	moves, isSettled, err := d.moves(candidates, &newest)
	if err != nil {
		return Outcome{}, err
	}
	switch {
	case !isSettled:
		outcome.State = Unsettled
	case len(moves) > 0:
		return d.start(moves, &newest, outcome)
	}
	return outcome, nil
}

// ParseMode parses the annotation kongdao.io/rollout of a workload. It reports whether the value is "auto".
func ParseMode(value string) (isAuto bool, err error) {
	switch value {
	case "auto":
		return true, nil
	case "", "manual":
		return false, nil
	}
	return false, fmt.Errorf("the value is %s; use %q or %q", denial.Quote(value), "auto", "manual")
}

// candidates returns the plugins that may move: without a version, of the workload's request and of policies.
func candidates(isAuto, isSet bool, request annotations.Request, policies []*policy.Policy) []string {
	var names []string
	add := func(refs []annotations.PluginRef) {
		for _, ref := range refs {
			if ref.Version == "" && !slices.Contains(names, ref.Name) {
				names = append(names, ref.Name)
			}
		}
	}
	if isAuto {
		add(request.Plugins)
	}
	for _, policy := range policies {
		if !policy.Audits && (isAuto || policy.AutoRollout && !isSet) {
			add(policy.Plugins)
		}
	}
	return names
}

func without(pins []annotations.PluginRef, plugins []string) []annotations.PluginRef {
	return slices.DeleteFunc(slices.Clone(pins), func(pin annotations.PluginRef) bool {
		return slices.Contains(plugins, pin.Name)
	})
}

// withPins returns a template with other pins.
func withPins(template mutate.Pod, pins []annotations.PluginRef) mutate.Pod {
	propagation := annotations.Propagation{}
	propagation.SetPins(template.Annotations, annotations.FormatRefs(pins))
	template.Annotations = propagation.Apply(template.Annotations)
	return template
}

// isMutable reports whether the content of a release can change.
func isMutable(release *catalog.Release) bool {
	return slices.ContainsFunc(release.Sources, func(source catalog.SourceRef) bool { return !source.Immutable })
}
