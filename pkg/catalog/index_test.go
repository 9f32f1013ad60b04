package catalog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

func configMap(namespace, name, plugin, version string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{
			annotations.Plugin: plugin, annotations.PluginVersion: version,
		}},
		Data: map[string]string{"handler.lua": "return {}", "schema.lua": "return { fields = {} }"},
	}
}

func put(index *catalog.Index, namespace, name, plugin, version string) {
	index.Put(catalog.NewSource(configMap(namespace, name, plugin, version)))
}

// describe returns the versions of a plugin with their sources: "1: x y, 2: z".
func describe(index *catalog.Index, namespace, plugin string) string {
	var releases []string
	for _, release := range index.Releases(namespace, plugin) {
		text := release.Version + ":"
		for _, source := range release.Sources {
			text += " " + source.Name
		}
		releases = append(releases, text)
	}
	return strings.Join(releases, ", ")
}

func TestIndex(t *testing.T) {
	for name, test := range map[string]struct {
		change func(x *catalog.Index)
		want   map[string]string // by plugin
	}{
		"zero value":            {func(*catalog.Index) {}, map[string]string{"a": ""}},
		"delete unknown source": {func(x *catalog.Index) { x.Delete("ns", "x") }, map[string]string{"a": ""}},
		"put": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1") },
			map[string]string{"a": "1: x", "b": ""},
		},
		"other namespace": {
			func(x *catalog.Index) { put(x, "other", "x", "a", "1") },
			map[string]string{"a": ""},
		},
		"two sources": {
			func(x *catalog.Index) { put(x, "ns", "y", "a", "1"); put(x, "ns", "x", "a", "1") },
			map[string]string{"a": "1: x y"},
		},
		"two versions": {
			func(x *catalog.Index) { put(x, "ns", "y", "a", "2"); put(x, "ns", "x", "a", "1") },
			map[string]string{"a": "1: x, 2: y"},
		},
		"replaced": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1"); put(x, "ns", "x", "a", "2") },
			map[string]string{"a": "2: x"},
		},
		"label changed": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1"); put(x, "ns", "x", "b", "1") },
			map[string]string{"a": "", "b": "1: x"},
		},
		"label removed": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1"); put(x, "ns", "x", "", "1") },
			map[string]string{"a": "", "": ""},
		},
		"deleted": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1"); x.Delete("ns", "x") },
			map[string]string{"a": ""},
		},
		"deleted in another namespace": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1"); x.Delete("other", "x") },
			map[string]string{"a": "1: x"},
		},
		"one of two deleted": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", ""); put(x, "ns", "y", "a", ""); x.Delete("ns", "x") },
			map[string]string{"a": ": y"},
		},
		"created again": {
			func(x *catalog.Index) { put(x, "ns", "x", "a", "1"); x.Delete("ns", "x"); put(x, "ns", "x", "a", "3") },
			map[string]string{"a": "3: x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// An earlier lookup must not leave a stale result.
			for _, lookedUp := range []bool{false, true} {
				index := &catalog.Index{}
				if lookedUp {
					put(index, "ns", "before", "a", "")
					index.Releases("ns", "a")
					index.Delete("ns", "before")
				}
				test.change(index)
				for range 2 {
					for plugin, want := range test.want {
						if got := describe(index, "ns", plugin); got != want {
							t.Errorf("plugin %q has the releases %q; want %q", plugin, got, want)
						}
					}
				}
			}
		})
	}
}

// TestIndexAssemblesOnce checks that the index assembles a plugin once after each change, not for each pod.
func TestIndexAssemblesOnce(t *testing.T) {
	index := &catalog.Index{}
	put(index, "ns", "x", "a", "1")
	first := index.Releases("ns", "a")[0]
	put(index, "ns", "other", "b", "1")
	if index.Releases("ns", "a")[0] != first {
		t.Error("a change of another plugin assembled this plugin again")
	}
	put(index, "ns", "y", "a", "1")
	if index.Releases("ns", "a")[0] == first {
		t.Error("a new source did not change the release")
	}
	if len(first.Sources) != 1 {
		t.Error("a new source changed a release that a caller already has")
	}
}

// TestIndexConcurrently checks, with the race detector, that sources can change during lookups, and that each lookup
// sees a consistent state.
func TestIndexConcurrently(t *testing.T) {
	index := &catalog.Index{}
	put(index, "ns", "stays", "a", "1")
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			name := fmt.Sprintf("source-%d", worker)
			for range 200 {
				put(index, "ns", name, "a", "1")
				put(index, "ns", name, "b", "1")
				index.Delete("ns", name)
			}
		})
		group.Go(func() {
			for range 200 {
				releases := index.Releases("ns", "a")
				if len(releases) != 1 || len(releases[0].Files) != 2 || len(releases[0].Denials) > 0 {
					t.Errorf("inconsistent state: %v", releases)
				}
				index.Releases("ns", "b")
			}
		})
	}
	group.Wait()
	if got := describe(index, "ns", "a") + describe(index, "ns", "b"); got != "1: stays" {
		t.Errorf("after all changes the releases are %q; want \"1: stays\"", got)
	}
}

// TestNewSource checks what a source keeps of a ConfigMap.
func TestNewSource(t *testing.T) {
	yes := true
	from := configMap("ns", "x", "a", "")
	from.Annotations = map[string]string{
		annotations.PluginVersion: "2", annotations.Digest: "sha256:0", annotations.Path: "",
	}
	from.Immutable = &yes
	from.BinaryData = map[string][]byte{"a.bin": {0, 1}}
	source := catalog.NewSource(from)
	var keys []string
	for _, key := range source.Keys {
		keys = append(keys, fmt.Sprint(key.Name, " ", key.Size))
	}
	if diff := cmp.Diff([]string{"a.bin 2", "handler.lua 9", "schema.lua 22"}, keys); diff != "" {
		t.Errorf("the keys are not those of data and binaryData, sorted (-want +got):\n%s", diff)
	}
	if source.Version != "2" || source.Digest != "sha256:0" || !source.Immutable ||
		source.Folder == nil || *source.Folder != "" {
		t.Errorf("the annotations or the field immutable are missing: %+v", source)
	}
	from.Labels[annotations.PluginVersion] = "1"
	if source := catalog.NewSource(from); source.Version != "1" {
		t.Errorf("version = %q; want \"1\", because the label overrides the annotation", source.Version)
	}
	source = catalog.NewSource(&corev1.ConfigMap{})
	if source.Plugin != "" || source.Folder != nil || source.Immutable || len(source.Keys) > 0 {
		t.Errorf("an empty ConfigMap gives %+v; want an empty source", source)
	}
}

// TestDigestOf checks that a release has the digest of its directory in each form of sources, and that other
// directories have other digests.
func TestDigestOf(t *testing.T) {
	files := map[string][]byte{"handler.lua": []byte("h"), "migrations/init.lua": []byte("return {}")}
	want := catalog.DigestOf(files)
	flat := configMap("ns", "x", "a", "")
	flat.Data = map[string]string{"handler.lua": "h", "init.lua": "return {}"}
	modules := configMap("ns", "x", "a", "7")
	modules.Data = map[string]string{"handler.lua": "h", "migrations.init.lua": "return {}"}
	for name, from := range map[string]*corev1.ConfigMap{"flat": flat, "modules": modules} {
		release := catalog.Assemble("a", []catalog.Source{catalog.NewSource(from)})[0]
		if release.Digest != want {
			t.Errorf("%s: digest = %s; want %s", name, release.Digest, want)
		}
	}
	others := []map[string][]byte{
		{}, {"handler.lua": []byte("h")},
		{"handler.lua": []byte("h"), "migrations/init.lua": []byte("return {} ")},
		{"handler.lua": []byte("h"), "init.lua": []byte("return {}")},
		{"handler.lua": []byte("return {}"), "migrations/init.lua": []byte("h")},
		{"handler.luah": nil, "migrations/init.lua": []byte("return {}")},
	}
	seen := map[string]int{want: -1}
	for i, other := range others {
		digest := catalog.DigestOf(other)
		if first, taken := seen[digest]; taken {
			t.Errorf("directories %d and %d have the same digest", first, i)
		}
		seen[digest] = i
		if !strings.HasPrefix(digest, "sha256:") || len(digest) != len("sha256:")+64 {
			t.Errorf("digest %q is not \"sha256:\" and 64 hexadecimal digits", digest)
		}
	}
}
