package rollout

import (
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/test/configmaps"
)

// test is a workload with the releases that exist, and what Decide says about it.
type test struct {
	reason string
	// own and template are the annotations of the workload and its template. The default of own is rollout: auto, and of
	// template a request of plugin "a" with the pin 1.0.0.
	own, template map[string]string
	// sources are in addition to version 1.0.0.
	sources  []*corev1.ConfigMap
	policies []v1alpha1.PluginPolicySpec
	running  []mutate.ReleaseRecord
	progress *upgrade.Progress // the default is a complete rollout
	stuck    string
	phase    v1alpha1.Phase // of each PluginMigration, "" for none
	unsettled,
	unreadable bool

	state    State
	message  string // a part of it
	releases string // the pin after a move
	failure  string // a part of it
}

func tests() map[string]test {
	unpinned := map[string]string{annotations.Plugins: "a"}
	fromPolicy := func(kind v1alpha1.PolicyRollout) []v1alpha1.PluginPolicySpec {
		return []v1alpha1.PluginPolicySpec{{Plugins: []v1alpha1.PolicyPlugin{{Name: "a"}}, Rollout: kind}}
	}
	newer := []*corev1.ConfigMap{source("1.1.0")}
	waiting := &upgrade.Progress{Message: "1 of 3 pods are updated"}
	return map[string]test{
		"newer release": {reason: "it passes all checks", sources: newer, state: Moves, releases: "a@1.1.0",
			message: "a: 1.0.0 -> 1.1.0"},
		"newest of several": {reason: "semantic order", sources: []*corev1.ConfigMap{source("1.9.0"), source("1.10.0")},
			state: Moves, releases: "a@1.10.0"},
		"no newer release": {reason: "nothing to do", state: Current},
		"broken release": {reason: "new pods would be denied", sources: []*corev1.ConfigMap{broken("1.1.0")},
			state: Current},
		"newest is broken": {reason: "the newest release without problems counts",
			sources: []*corev1.ConfigMap{source("1.1.0"), broken("1.2.0")}, state: Moves, releases: "a@1.1.0"},
		"sources change": {reason: "more sources of the release may follow", sources: newer, unsettled: true,
			state: Unsettled},
		"off":     {reason: "nothing asks for it", own: map[string]string{}, sources: newer, state: Manual},
		"invalid": {reason: "a typo", own: map[string]string{annotations.Rollout: "Auto"}, state: Invalid, message: `"Auto"`},
		"requested version": {reason: "the annotation decides", sources: newer, state: Manual,
			template: map[string]string{annotations.Plugins: "a@1.0.0"}},
		"older release": {reason: "the newest release was deleted, and nothing goes back", state: Current,
			template: map[string]string{annotations.Plugins: "a", annotations.Releases: "a@2.0.0"}},

		"unfinished": {reason: "one rollout at a time", sources: newer, progress: waiting, state: Held,
			message: "the present rollout is not complete: 1 of 3 pods are updated"},
		"paused": {reason: "a person paused it", sources: newer, state: Held, message: "paused",
			progress: &upgrade.Progress{Message: "the Deployment is paused", Done: true, Failed: true}},
		"failed migration": {reason: "the next migration could not run", sources: newer, phase: v1alpha1.PhaseFailed,
			state: Held, message: "is Failed: syntax error"},
		"held migration": {reason: "a person must act", sources: newer, phase: v1alpha1.PhaseHeld, state: Held,
			message: "is Held"},
		"finished migration": {reason: "nothing prevents it", sources: newer, phase: v1alpha1.PhaseFinished, state: Moves,
			releases: "a@1.1.0"},

		"rolled back": {reason: "a person decided against the release", own: rolledOut(source("1.1.0")),
			sources: newer, state: Current},
		"rolled back, and fixed under the same version": {reason: "it is another release",
			own: rolledOut(broken("1.1.0")), sources: newer, state: Moves, releases: "a@1.1.0"},
		"rolled back, and a later release": {reason: "it was never tried", own: rolledOut(source("1.1.0")),
			sources: []*corev1.ConfigMap{source("1.1.0"), source("1.2.0")}, state: Moves, releases: "a@1.2.0"},
		"fails": {reason: "the failure is reported, and the release is not tried again",
			own:      rolledOut(source("1.1.0")),
			template: map[string]string{annotations.Plugins: "a", annotations.Releases: "a@1.1.0"},
			sources:  newer, progress: waiting, phase: v1alpha1.PhaseFailed, state: Current, failure: "syntax error"},
		"stuck": {reason: "pods do not become ready", own: rolledOut(source("1.1.0")),
			template: map[string]string{annotations.Plugins: "a", annotations.Releases: "a@1.1.0"},
			sources:  newer, progress: waiting, stuck: "ReplicaSet has timed out", state: Current, failure: "timed out"},
		"stuck for another reason": {reason: "no automatic rollout is in progress", sources: newer, progress: waiting,
			stuck: "ReplicaSet has timed out", state: Held},

		"policy": {reason: "the policy asks for it", own: map[string]string{}, template: map[string]string{},
			policies: fromPolicy(v1alpha1.RolloutAuto), running: running("1.0.0", source("1.0.0")), sources: newer,
			state: Moves, releases: "a@1.1.0"},
		"library": {reason: "the plugin comes from there, and a release of the own namespace does not count",
			policies: []v1alpha1.PluginPolicySpec{{Library: "library"}}, state: Moves, releases: "a@1.1.0",
			sources: []*corev1.ConfigMap{inLibrary("1.0.0"), inLibrary("1.1.0"), source("1.2.0")}},
		"two plugins": {reason: "the one that was rolled back stays, and the other one moves",
			own:      rolledOut(source("1.1.0")),
			template: map[string]string{annotations.Plugins: "a,b", annotations.Releases: "a@1.0.0,b@1.0.0"},
			sources: []*corev1.ConfigMap{source("1.1.0"), configmaps.Versioned(configmaps.Source("kong", "b-1", "b"), "1.0.0"),
				configmaps.Versioned(configmaps.Source("kong", "b-2", "b"), "2.0.0")},
			state: Moves, releases: "a@1.0.0,b@2.0.0"},
		"manual policy": {reason: "Manual is the default", own: map[string]string{}, template: map[string]string{},
			policies: fromPolicy(""), running: running("1.0.0", source("1.0.0")), sources: newer, state: Manual},
		"opted out of the policy": {reason: "the workload overrides it",
			own: map[string]string{annotations.Rollout: "manual"}, template: map[string]string{},
			policies: fromPolicy(v1alpha1.RolloutAuto), sources: newer, state: Manual},
		"plugin of a manual policy": {reason: "the workload asks for all of its plugins", template: map[string]string{},
			policies: fromPolicy(v1alpha1.RolloutManual), running: running("1.0.0", source("1.0.0")), sources: newer,
			state: Moves, releases: "a@1.1.0"},
		"no pods and no pin": {reason: "new pods get the newest release anyway", template: unpinned, sources: newer,
			state: Current},
		"unreadable pods": {reason: "the error is returned", template: unpinned, sources: newer, unreadable: true},
	}
}
