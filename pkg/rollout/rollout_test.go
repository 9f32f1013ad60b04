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
	made.Data["migrations.000_base.lua"] = `return { postgres = { up = "SELECT 1" } }`
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
	made.Immutable, made.Data["handler.lua"] = nil, "return {} -- "+content
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
