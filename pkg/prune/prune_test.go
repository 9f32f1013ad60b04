package prune_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/prune"
	"kongdao.io/kongdao/test/configmaps"
)

// TestDecide proves which releases are deleted.
func TestDecide(t *testing.T) {
	index := &catalog.Index{}
	for _, version := range []string{"1.0.0", "1.1.0", "1.9.0", "1.10.0", "2.0.0", "3.0.0"} {
		source := configmaps.Versioned(configmaps.Source("kong", "a-"+version, "a"), version)
		if version == "3.0.0" || version == "1.1.0" {
			delete(source.Data, "schema.lua")
		}
		index.Put(catalog.NewSource(source))
	}
	mutable := configmaps.Source("kong", "a-dev", "a")
	mutable.Immutable = nil
	index.Put(catalog.NewSource(mutable))
	uses := []prune.Use{
		{Release: annotations.PluginRef{Name: "a", Version: "1.0.0"}, By: `ReplicaSet "kong/b"`},
		{Release: annotations.PluginRef{Name: "a", Version: "1.0.0"}, By: `Pod "kong/a"`},
		{Release: annotations.PluginRef{Name: "b", Version: "1.9.0"}, By: `Pod "kong/a"`},
	}
	for name, test := range map[string]struct {
		keep int
		want []string
	}{
		"newest": {0, []string{
			"keep a: it is mutable",
			`keep a@1.0.0: Pod "kong/a" uses it`,
			"delete a@1.1.0: ConfigMaps a-1.1.0",
			"delete a@1.9.0: ConfigMaps a-1.9.0",
			"delete a@1.10.0: ConfigMaps a-1.10.0",
			"keep a@2.0.0: it is one of the newest",
			"keep a@3.0.0: it is newer than the newest release without problems",
		}},
		"two": {2, []string{
			"keep a: it is mutable",
			`keep a@1.0.0: Pod "kong/a" uses it`,
			"delete a@1.1.0: ConfigMaps a-1.1.0",
			"delete a@1.9.0: ConfigMaps a-1.9.0",
			"keep a@1.10.0: it is one of the newest",
			"keep a@2.0.0: it is one of the newest",
			"keep a@3.0.0: it is newer than the newest release without problems",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, decision := range prune.Decide(index.Releases("kong", "a"), uses, test.keep) {
				got = append(got, decision.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestUsesOf proves what the annotations of pods and templates use.
func TestUsesOf(t *testing.T) {
	got := prune.UsesOf(map[string]string{
		annotations.Plugins: "a, b@2", annotations.Releases: "a@1,c",
		annotations.InjectionRecord: `{"releases":[{"plugin":"d","version":"4"},{"plugin":"e"}]}`,
	}, "x")
	want := []prune.Use{
		{Release: annotations.PluginRef{Name: "b", Version: "2"}, By: "x"},
		{Release: annotations.PluginRef{Name: "a", Version: "1"}, By: "x"},
		{Release: annotations.PluginRef{Name: "c"}, By: "x"},
		{Release: annotations.PluginRef{Name: "d", Version: "4"}, By: "x"},
		{Release: annotations.PluginRef{Name: "e"}, By: "x"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if uses := prune.UsesOf(map[string]string{annotations.Plugins: "a"}, "x"); len(uses) > 0 {
		t.Errorf("a request without a version uses %v", uses)
	}
}
