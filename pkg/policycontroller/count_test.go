package policycontroller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// TestWorkloadOf proves which workload has to be restarted for a pod.
func TestWorkloadOf(t *testing.T) {
	for name, test := range map[string]struct {
		kind, owner, hash string
		want              string
	}{
		"no controller":         {want: "shop/Pod/kong-1"},
		"Deployment":            {"ReplicaSet", "kong-5d67", "5d67", "shop/Deployment/kong"},
		"ReplicaSet":            {"ReplicaSet", "kong", "", "shop/ReplicaSet/kong"},
		"ReplicaSet, own hash":  {"ReplicaSet", "kong", "5d67", "shop/ReplicaSet/kong"},
		"ReplicaSet, name is -": {"ReplicaSet", "kong-", "", "shop/ReplicaSet/kong-"},
		"StatefulSet":           {"StatefulSet", "kong-5d67", "5d67", "shop/StatefulSet/kong-5d67"},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "kong-1"}}
		if test.hash != "" {
			pod.Labels = map[string]string{"pod-template-hash": test.hash}
		}
		if test.kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{{Kind: test.kind, Name: test.owner, Controller: new(true)}}
		}
		if got := workloadOf(pod).String(); got != test.want {
			t.Errorf("%s: the workload is %s, want %s", name, got, test.want)
		}
	}
}

// TestHasPlugins proves when a pod in namespace "kong" has all plugins of a policy.
func TestHasPlugins(t *testing.T) {
	type ref = annotations.PluginRef
	type release = mutate.ReleaseRecord
	for name, test := range map[string]struct {
		plugins  []ref
		library  string
		releases []release
		want     bool
	}{
		"no record": {plugins: []ref{{Name: "a"}}, want: false},
		"any version": {
			plugins: []ref{{Name: "a"}}, releases: []release{{Plugin: "a", Version: "1"}}, want: true,
		},
		"another plugin": {
			plugins: []ref{{Name: "a"}}, releases: []release{{Plugin: "b", Version: "1"}}, want: false,
		},
		"another version": {
			plugins: []ref{{Name: "a", Version: "2"}}, releases: []release{{Plugin: "a", Version: "1"}},
		},
		"the version": {
			plugins: []ref{{Name: "a", Version: "1"}}, releases: []release{{Plugin: "a", Version: "1"}}, want: true,
		},
		"one of two": {plugins: []ref{{Name: "a"}, {Name: "b"}}, releases: []release{{Plugin: "a"}}, want: false},
		"the library": {
			plugins: []ref{{Name: "a"}}, library: "l", releases: []release{{Plugin: "a", Library: "l"}}, want: true,
		},
		"another library": {
			plugins: []ref{{Name: "a"}}, library: "l", releases: []release{{Plugin: "a", Library: "m"}}, want: false,
		},
		"not from a library": {
			plugins: []ref{{Name: "a"}}, library: "l", releases: []release{{Plugin: "a"}}, want: false,
		},
		"the library is its own": {
			plugins: []ref{{Name: "a"}}, library: "kong", releases: []release{{Plugin: "a"}}, want: true,
		},
	} {
		policies := []*policy.Policy{{Plugins: test.plugins, Library: test.library}}
		got := hasPlugins("kong", mutate.InjectionRecord{Releases: test.releases}, policies[0], policies)
		if got != test.want {
			t.Errorf("%s: hasPlugins is %v, want %v", name, got, test.want)
		}
	}
}
