package policycontroller

import (
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
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
