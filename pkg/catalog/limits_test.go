package catalog

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/denial"
)

// labelledConfigMap returns a ConfigMap of the plugin "p" in the namespace "kong".
func labelledConfigMap(name, version string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kong", Name: name, UID: "1", ResourceVersion: "1",
			Labels: map[string]string{annotations.Plugin: "p", annotations.PluginVersion: version},
		},
		Data: data,
	}
}

func emptyKeys(prefix string, count int) map[string]string {
	data := map[string]string{}
	for i := range count {
		data[fmt.Sprintf("%s%05d", prefix, i)] = ""
	}
	return data
}

// hostileList returns a list of migrations with this many names.
func hostileList(names int) string {
	return "return {" + strings.Repeat(`"a",`, names) + "}"
}

// completePlugin returns the keys of a valid plugin, and one more.
func completePlugin(key, content string) map[string]string {
	return map[string]string{checks.HandlerFile: "return {}", checks.SchemaFile: "return { fields = {} }", key: content}
}

// TestLimits checks that each limit leads to one denial that names the limit, the value, and what to do.
func TestLimits(t *testing.T) {
	one := func(data map[string]string) []*corev1.ConfigMap {
		return []*corev1.ConfigMap{labelledConfigMap("a", "1", data)}
	}
	many := func(count int, data func(i int) map[string]string) []*corev1.ConfigMap {
		var all []*corev1.ConfigMap
		for i := range count {
			all = append(all, labelledConfigMap(fmt.Sprintf("a-%05d", i), "1", data(i)))
		}
		return all
	}
	annotated := func(name string, size int) []*corev1.ConfigMap {
		from := labelledConfigMap("a", "", completePlugin("x", ""))
		from.Annotations = map[string]string{name: strings.Repeat("x", size)}
		return []*corev1.ConfigMap{from}
	}
	const keys = `but the limit is 1000; split it, or delete files that Kong does not load`
	for name, test := range map[string]struct {
		configMaps []*corev1.ConfigMap
		want       []string
		reason     string
	}{
		"keys of a source": {
			one(emptyKeys("x", 60_000)), []string{`plugin "p@1": ConfigMap "a" has 60000 keys, ` + keys},
			"the API server accepts it (fact P7)",
		},
		"keys of two sources": {
			many(2, func(i int) map[string]string { return emptyKeys("x", 1001+i) }), []string{
				`plugin "p@1": ConfigMaps "a-00000" and "a-00001" are over a limit; the first has 1001 keys, ` + keys,
			}, "one denial, not one for each source",
		},
		"files of a release": {
			many(3, func(i int) map[string]string { return emptyKeys(fmt.Sprint("x", i), 1000) }), []string{
				`plugin "p@1": its ConfigMaps have 3000 keys, but the limit of a release is 2000; ` +
					`delete files that Kong does not load, or put some of them into Kong's image`,
			}, "",
		},
		"sources of a plugin": {
			many(1001, func(int) map[string]string { return nil }), []string{
				`plugin "p": namespace "kong" has 1001 ConfigMaps with the label kongdao.io/plugin=p, but the limit is 1000; ` +
					`delete those of versions that no pod uses`,
			}, "",
		},
		"listed names": {
			one(completePlugin(checks.MigrationsModule, hostileList(1001))), nil,
			"Kong loads it, and kongdao does not know the names",
		},
		"read bytes": {
			one(map[string]string{
				checks.HandlerFile: "return {}", checks.SchemaFile: "--" + strings.Repeat("x", 512<<10),
			}), nil, "Kong may load what is not read",
		},
		"digest": {
			annotated(annotations.Digest, 1025), []string{
				`plugin "p": ConfigMap "a" has a value of 1025 bytes for kongdao.io/digest, but the limit is 1024; shorten it`,
			}, "",
		},
		"path": {
			annotated(annotations.Path, 200_000), []string{
				`plugin "p": ConfigMap "a" has a value of 200000 bytes for kongdao.io/path, but the limit is 1024; shorten it`,
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var index Index
			for _, configMap := range test.configMaps {
				index.Put(NewSource(configMap))
			}
			var got []string
			for _, release := range index.Releases("kong", "p") {
				for _, denied := range release.Denials {
					got = append(got, denied.Message)
					if denied.Reason != denial.LimitExceeded {
						t.Errorf("reason = %q; want LimitExceeded", denied.Reason)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestLongVersion checks that a version does not need the memory of a long annotation.
func TestLongVersion(t *testing.T) {
	from := labelledConfigMap("a", "", completePlugin("x", ""))
	from.Annotations = map[string]string{annotations.PluginVersion: strings.Repeat("x", 200_000)}
	release := Assemble("p", []Source{NewSource(from)})[0]
	if len(release.Version) > 100 || !strings.Contains(release.Denials.Error(), "200000 bytes") {
		t.Errorf("version %.200q, denials %v", release.Version, release.Denials)
	}
}

// TestNamespaceLimits checks the limits for all sources of a namespace. They apply to all of its plugins, regardless of
// the order, and end when sources are deleted.
func TestNamespaceLimits(t *testing.T) {
	long := strings.Repeat("x", 240)
	for name, test := range map[string]struct {
		count, keys int
		want        string
	}{
		"sources": {
			5001, 0, `plugin "victim": namespace "kong" has 5001 ConfigMaps with the label kongdao.io/plugin, ` +
				`but the limit is 5000; delete some, or move plugins to another namespace`,
		},
		"bytes": {
			18, 1000, `plugin "victim": the ConfigMaps with the label kongdao.io/plugin in namespace "kong" ` +
				`need 8537681 bytes of memory, but the limit is 8388608; delete some, or move plugins to another namespace`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var index Index
			victim := labelledConfigMap("victim", "1", completePlugin("x", ""))
			victim.Labels[annotations.Plugin] = "victim"
			index.Put(NewSource(victim))
			data := emptyKeys(long, test.keys)
			for i := range test.count - 1 {
				other := labelledConfigMap(fmt.Sprintf("other-%d", i), "1", data)
				other.Labels[annotations.Plugin] = fmt.Sprint("p", i%100)
				index.Put(NewSource(other))
			}
			for _, version := range []string{"", "1", "2"} {
				request := []annotations.PluginRef{{Name: "victim", Version: version}}
				_, denials := Resolve("kong", request, func(plugin string) []*Release { return index.Releases("kong", plugin) })
				if diff := cmp.Diff(test.want, denials.Error()); diff != "" || !index.IsOverLimit("kong") {
					t.Errorf("version %q (-want +got):\n%s", version, diff)
				}
			}
			if index.Releases("kong", "unknown") != nil || index.IsOverLimit("other") {
				t.Error("an unknown plugin or another namespace is over a limit")
			}
			index.Delete("kong", "other-0")
			if releases := index.Releases("kong", "victim"); len(releases) != 1 || len(releases[0].Denials) > 0 {
				t.Errorf("still over the limit: %+v", releases)
			}
		})
	}
}

// TestDenialsAreLimited checks an attack that made 37,197 denials in 6.2 s: a list of migrations that do not exist, and
// 1,000 tiny sources. The names of the sources are in each message.
func TestDenialsAreLimited(t *testing.T) {
	for name, test := range map[string]struct {
		list string
		want int
	}{
		"over the limit":   {hostileList(37_197), 0},
		"within the limit": {hostileList(1000), maxReleaseDenials + 1},
	} {
		var index Index
		index.Put(NewSource(labelledConfigMap("list", "1", completePlugin("migrations.init.lua", test.list))))
		for i := range maxPluginSources - 1 {
			index.Put(NewSource(labelledConfigMap(fmt.Sprintf("tiny-%d", i), "1", map[string]string{"README": ""})))
		}
		before := allocatedBytes()
		releases := index.Releases("kong", "p")
		if len(releases) != 1 || len(releases[0].Denials) != test.want {
			t.Errorf("%s: %d releases with the denials %v; want %d denials", name, len(releases), releases[0].Denials, test.want)
		}
		if allocated := allocatedBytes() - before; allocated > 4<<20 {
			t.Errorf("%s: the lookup allocated %d bytes; it must not make a message for each name", name, allocated)
		}
	}
	omitted := denial.New(denial.BrokenPlugin, `plugin "p@1": there are more problems; fix these first`)
	var index Index
	index.Put(NewSource(labelledConfigMap("list", "1", map[string]string{"migrations.init.lua": numberedList(999)})))
	if denials := index.Releases("kong", "p")[0].Denials; denials[len(denials)-1] != omitted {
		t.Errorf("the last denial is %+v; want %+v", denials[len(denials)-1], omitted)
	}
}

// numberedList returns a list of different migrations.
func numberedList(names int) string {
	var list strings.Builder
	for i := range names {
		fmt.Fprintf(&list, "%q,", fmt.Sprint("m", i))
	}
	return "return {" + list.String() + "}"
}

func allocatedBytes() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// TestCopiesAreWithinLimits checks that the copies of a release with many files are within the limits themselves.
func TestCopiesAreWithinLimits(t *testing.T) {
	sources := []Source{
		NewSource(labelledConfigMap("a", "1", emptyKeys("x", 999))),
		NewSource(labelledConfigMap("b", "1", completePlugin("y", ""))),
	}
	release := Assemble("p", sources)[0]
	if len(release.Denials) > 0 {
		t.Fatal(release.Denials)
	}
	copied := release.CopiedFrom("plugins")
	for _, one := range copied.Copies {
		configMap := labelledConfigMap(one.Name, "", map[string]string{})
		configMap.Labels[annotations.Plugin] = ""
		configMap.Immutable = new(true)
		for _, key := range one.Keys {
			configMap.Data[key.Name] = completePlugin("y", "")[key.Key]
		}
		if !one.Matches(NewSource(configMap)) {
			t.Errorf("copy %q with %d keys does not match its own ConfigMap", one.Name, len(one.Keys))
		}
	}
	if len(copied.Copies) != 2 || len(copied.Files) != 1002 {
		t.Errorf("%d copies of %d files; want 2 of 1002", len(copied.Copies), len(copied.Files))
	}
}

// TestForeignConfigMapsAreNotKept checks that a ConfigMap whose label is empty keeps no keys, unless it is a copy.
func TestForeignConfigMapsAreNotKept(t *testing.T) {
	from := labelledConfigMap("a", "1", completePlugin("x", ""))
	from.Labels[annotations.Plugin] = ""
	if source := NewSource(from); source.Keys != nil {
		t.Errorf("%d keys are kept", len(source.Keys))
	}
}
