package rollout

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/test/configmaps"
)

// source returns a source of plugin "a" with a migration.
func source(version string) *corev1.ConfigMap {
	made := configmaps.Versioned(configmaps.Source("kong", "a-"+version, "a"), version)
	made.Data["migrations.init.lua"] = `return { "000_base" }`
	made.Data["migrations.000_base.lua"] = `return { postgres = { up = "" } }`
	return made
}

// inLibrary returns a source in namespace "library".
func inLibrary(version string) *corev1.ConfigMap {
	made := source(version)
	made.Namespace = "library"
	return made
}

// mutable returns a source without a version, with content.
func mutable(content string) *corev1.ConfigMap {
	made := configmaps.Source("kong", "a", "a")
	made.Immutable, made.Data["handler.lua"] = nil, content
	return made
}

// broken returns a source without a schema.
func broken(version string) *corev1.ConfigMap {
	made := source(version)
	delete(made.Data, "schema.lua")
	return made
}

// digestOf returns the digest of the release that a source makes.
func digestOf(made *corev1.ConfigMap) string {
	return catalog.Assemble("a", []catalog.Source{catalog.NewSource(made)})[0].Digest
}

// rolledOut returns the annotations of a workload that an automatic rollout has moved to version 1.1.0.
func rolledOut(made *corev1.ConfigMap) map[string]string {
	return map[string]string{annotations.Rollout: "auto",
		annotations.RolledOut: toJSON(map[string]string{"a@1.1.0": digestOf(made)})}
}

// running returns the record of a pod with the release that a source makes.
func running(version string, made *corev1.ConfigMap) []mutate.ReleaseRecord {
	return []mutate.ReleaseRecord{{Plugin: "a", Version: version, Digest: digestOf(made)}}
}

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

// decide runs a test.
func decide(t *testing.T, test test) (Outcome, error) {
	t.Helper()
	workload := Workload{
		Namespace: "kong", Kind: "Deployment", Name: "kong", Annotations: test.own, Stuck: test.stuck,
		Progress: upgrade.Progress{Done: true},
	}
	if test.own == nil {
		workload.Annotations = map[string]string{annotations.Rollout: "auto"}
	}
	if test.template == nil {
		test.template = map[string]string{annotations.Plugins: "a", annotations.Releases: "a@1.0.0"}
	}
	if test.progress != nil {
		workload.Progress = *test.progress
	}
	text, err := json.Marshal(corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: test.template},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9", Env: []corev1.EnvVar{
			{Name: "KONG_PG_HOST", Value: "postgres"},
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if workload.Template, err = mutate.DecodePod(text); err != nil {
		t.Fatal(err)
	}
	return Decide(workload, factsOf(t, test))
}

func factsOf(t *testing.T, test test) Facts {
	t.Helper()
	releases := &catalog.Index{}
	for _, made := range append(test.sources, source("1.0.0")) {
		releases.Put(catalog.NewSource(made))
	}
	policies := &policy.Index{}
	for _, spec := range test.policies {
		compiled, err := policy.Compile(&v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		policies.Put(compiled)
	}
	return Facts{
		Cluster: decision.Cluster{
			Releases: releases.Releases, Policies: policies.Of("kong", nil), RunsMigrations: true,
		},
		Running: func() ([]mutate.ReleaseRecord, error) {
			if test.unreadable {
				return nil, errors.New("etcd is away")
			}
			return test.running, nil
		},
		IsSettled: func(string, string) bool { return !test.unsettled },
		Migration: func(name string) *v1alpha1.PluginMigration {
			if test.phase == "" {
				return nil
			}
			return &v1alpha1.PluginMigration{ObjectMeta: metav1.ObjectMeta{Name: name},
				Status: v1alpha1.PluginMigrationStatus{Phase: test.phase, Message: "syntax error"}}
		},
	}
}

// TestDecide proves when a workload moves, and to which release. After a move, it does not move again.
func TestDecide(t *testing.T) {
	for name, test := range tests() {
		t.Run(name, func(t *testing.T) {
			outcome, err := decide(t, test)
			if (err != nil) != test.unreadable {
				t.Fatal(err)
			}
			if outcome.State != test.state || outcome.Template[annotations.Releases] != test.releases ||
				!strings.Contains(outcome.Message, test.message) ||
				!strings.Contains(outcome.Failure, test.failure) || (outcome.Failure == "") != (test.failure == "") {
				t.Errorf("got %+v, want state %q, releases %q, message %q and failure %q, because: %s",
					outcome, test.state, test.releases, test.message, test.failure, test.reason)
			}
			if outcome.State != Moves {
				return
			}
			if test.template == nil {
				test.template = map[string]string{annotations.Plugins: "a"}
			}
			test.template, test.own = merged(test.template, outcome.Template), merged(test.own, outcome.Workload)
			if again, err := decide(t, test); err != nil || again.State != Current {
				t.Errorf("after the move: %+v, %v", again, err)
			}
		})
	}
}

// merged returns annotations with others. Without any, they are those of an automatic workload.
func merged(before, set map[string]string) map[string]string {
	all := map[string]string{}
	if before == nil {
		all[annotations.Rollout] = "auto"
	}
	for _, some := range []map[string]string{before, set} {
		maps.Copy(all, some)
	}
	return all
}

// TestMalformedRecords proves that a workload moves with any content of its annotations.
func TestMalformedRecords(t *testing.T) {
	for _, value := range []string{"null", "[]", "{", `{"a@1.1.0": 1}`, `"x"`, `{"a": {}}`} {
		outcome, err := decide(t, test{
			own:     map[string]string{annotations.Rollout: "auto", annotations.RolledOut: value},
			sources: []*corev1.ConfigMap{source("1.1.0")},
			template: map[string]string{
				annotations.Plugins: "a", annotations.Releases: "a@1.0.0", annotations.Digests: value,
			},
		})
		if err != nil || outcome.State != Moves {
			t.Errorf("%s: %+v, %v", value, outcome, err)
		}
	}
}

// TestChangedSources proves that a change of mutable sources rolls out once, also a change back to older contents. The
// first digest comes from a pod, so the annotation kongdao.io/rollout restarts nothing.
func TestChangedSources(t *testing.T) {
	current := test{
		template: map[string]string{annotations.Plugins: "m", annotations.Releases: "m"},
		running:  []mutate.ReleaseRecord{{Plugin: "m", Digest: digestOf(mutable("1"))}},
	}
	for i, step := range []struct {
		content string
		want    State
	}{{"1", Current}, {"2", Moves}, {"2", Current}, {"1", Moves}, {"1", Current}, {"2", Moves}} {
		made := mutable(step.content)
		made.Name, made.Labels[annotations.Plugin] = "m", "m"
		current.sources = []*corev1.ConfigMap{made}
		outcome, err := decide(t, current)
		if err != nil || outcome.State != step.want {
			t.Fatalf("step %d: %+v, %v, want %q", i, outcome, err, step.want)
		}
		if outcome.State == Moves {
			want := toJSON(map[string]string{"m": digestOf(mutable(step.content))})
			if diff := cmp.Diff(want, outcome.Template[annotations.Digests]); diff != "" {
				t.Errorf("step %d: digests (-want +got)\n%s", i, diff)
			}
			current.template, current.own = merged(current.template, outcome.Template), merged(current.own, outcome.Workload)
		}
	}
}
