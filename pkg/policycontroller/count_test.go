package policycontroller

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

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
		got := hasPlugins("kong", test.releases, policies[0], policies)
		if got != test.want {
			t.Errorf("%s: hasPlugins is %v, want %v", name, got, test.want)
		}
	}
}

// TestReleases proves which releases a status lists, the oldest first.
func TestReleases(t *testing.T) {
	type release = mutate.ReleaseRecord
	counted := counts{releases: map[annotations.PluginRef]int32{}}
	policy := &policy.Policy{Plugins: []annotations.PluginRef{{Name: "b"}, {Name: "a"}}}
	for _, pod := range [][]release{
		{{Plugin: "a", Version: "1.10.0"}, {Plugin: "b"}, {Plugin: "other", Version: "1"}},
		{{Plugin: "a", Version: "1.9.0"}},
		{{Plugin: "a", Version: "1.10.0"}},
		{{Plugin: "a", Version: strings.Repeat("9", 1000)}},
	} {
		counted.addReleases(policy, pod)
	}
	want := []v1alpha1.ReleasePods{
		{Release: "a@1.9.0", Pods: 1}, {Release: "a@1.10.0", Pods: 2}, {Release: "b", Pods: 1},
	}
	if diff := cmp.Diff(want, sortedReleases(counted.releases)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for i := range 100 {
		counted.addReleases(policy, []release{{Plugin: "a", Version: fmt.Sprint(i)}})
	}
	if got := len(sortedReleases(counted.releases)); got != maxListedReleases {
		t.Errorf("the status lists %d releases, want at most %d", got, maxListedReleases)
	}
}
