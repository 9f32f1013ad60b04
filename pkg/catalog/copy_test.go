package catalog_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/checks"
)

// libraryContents holds the contents of a library's ConfigMaps, by name and key.
type libraryContents map[string]map[string]string

// release assembles the release of a plugin. In keys, dots stand for slashes. The keys of a ConfigMap "x in FOLDER" are
// in that directory.
func (c libraryContents) release(t *testing.T, plugin string) *catalog.Release {
	t.Helper()
	var sources []catalog.Source
	for name, keys := range c {
		_, folder, found := strings.Cut(name, " in ")
		if !found {
			folder = "."
		}
		sources = append(sources, catalog.NewSource(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "plugins", Name: name,
				Labels:      map[string]string{annotations.Plugin: plugin, annotations.PluginVersion: "1.1.0"},
				Annotations: map[string]string{annotations.Path: folder},
			},
			Data: keys,
		}))
	}
	releases := catalog.Assemble(plugin, sources)
	if len(releases) != 1 || len(releases[0].Denials) > 0 {
		t.Fatalf("got %d releases with the denials %v; want one without denials", len(releases), releases[0].Denials)
	}
	return releases[0]
}

// smallPlugin returns a plugin with entities and one migration, in two ConfigMaps.
func smallPlugin() libraryContents {
	return libraryContents{
		"dao-test": {"handler.lua": "return {}", "schema.lua": "return { fields = {} }", "daos.lua": "return {}"},
		"other in migrations": {
			"init.lua": `return { "000_base" }`, "000_base.lua": "return { postgres = { up_f = f } }",
		},
	}
}

// copiesOf returns the ConfigMaps of a release's copies.
func copiesOf(release *catalog.Release, from libraryContents) []*corev1.ConfigMap {
	var made []*corev1.ConfigMap
	immutable := true
	for _, copied := range release.Copies {
		configMap := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "kong", Name: copied.Name,
				Labels: map[string]string{annotations.Plugin: "", annotations.CopyOf: release.Plugin},
			},
			Immutable: &immutable, Data: map[string]string{},
		}
		for _, key := range copied.Keys {
			configMap.Data[key.Name] = from[key.Source][key.Key]
		}
		made = append(made, configMap)
	}
	return made
}

// TestCopiedFrom checks that pods of another namespace get the same files, by path, content and digest, from immutable
// ConfigMaps, and that the original release does not change. The names of copies depend on the files and the library,
// but not on the packing.
func TestCopiedFrom(t *testing.T) {
	contents := smallPlugin()
	release := contents.release(t, "dao-test")
	before := *release
	before.Files = slices.Clone(release.Files)
	copied := release.CopiedFrom("plugins")
	if diff := cmp.Diff(&before, release, cmpopts.IgnoreUnexported(catalog.File{}, checks.Finding{})); diff != "" {
		t.Errorf("CopiedFrom changed the library's release (-before +after):\n%s", diff)
	}
	if copied.Digest != release.Digest || copied.MigrationsDigest != release.MigrationsDigest ||
		copied.Version != release.Version || copied.Library != "plugins" {
		t.Errorf("the copied release has another version, digest or library: %+v", copied)
	}
	if copied.HasEntities() != release.HasEntities() {
		t.Error("the copied release lost the list of entities")
	}
	data := map[string]map[string]string{}
	for _, configMap := range copiesOf(copied, contents) {
		data[configMap.Name] = configMap.Data
	}
	for i, file := range copied.Files {
		original := release.Files[i]
		if file.Path != original.Path || file.Digest != original.Digest || file.Size != original.Size || !file.Immutable {
			t.Errorf("file %+v differs from the library's file %+v", file, original)
		}
		content := data[file.Source][file.Key]
		if content != contents[original.Source][original.Key] || sha256.Sum256([]byte(content)) != file.Digest {
			t.Errorf("file %q: ConfigMap %q has other content in key %q: %q", file.Path, file.Source, file.Key, content)
		}
	}
	if want := []catalog.SourceRef{{Name: copied.Copies[0].Name, Immutable: true}}; !slices.Equal(want, copied.Sources) {
		t.Errorf("sources = %v; want %v", copied.Sources, want)
	}
	unexported := cmpopts.IgnoreUnexported(catalog.File{}, checks.Finding{})
	if diff := cmp.Diff(copied, release.CopiedFrom("plugins"), unexported); diff != "" {
		t.Errorf("a second call returns another release (-first +second):\n%s", diff)
	}
	one := libraryContents{"other": {
		"handler.lua": "return {}", "schema.lua": "return { fields = {} }", "daos.lua": "return {}",
		"migrations.init.lua": `return { "000_base" }`, "migrations.000_base.lua": "return { postgres = { up_f = f } }",
	}}.release(t, "dao-test")
	if other := one.CopiedFrom("elsewhere"); other.Copies[0].Name == copied.Copies[0].Name {
		t.Error("the copies of two libraries have the same name")
	}
	one = one.CopiedFrom("plugins")
	if one.Copies[0].Name != copied.Copies[0].Name ||
		!one.Copies[0].Matches(catalog.NewSource(copiesOf(copied, contents)[0])) {
		t.Error("the same files in another packing have another copy")
	}
}

// TestCopyNames checks that the names and keys of copies are valid for every plugin name and every path, and that
// different plugins or contents have different names.
func TestCopyNames(t *testing.T) {
	deep := "x in " + strings.Repeat("a/", 100) + "b"
	long := strings.Repeat("k", 253) // the maximum length of a key
	contents := map[string]libraryContents{
		"small": smallPlugin(),
		"other": {"x": {"handler.lua": "return { }", "schema.lua": "return { fields = {} }"}},
		"moved": {"x": {"schema.lua": "return { fields = {} }", "handler.lua": "return {}"}},
		"deep": {
			"x":  {"handler.lua": "return {}", "schema.lua": "return { fields = {} }"},
			deep: {"a.lua": "", "b.lua": "1", long: ""},
		},
		"dots": {
			"x":      {"handler.lua": "return {}", "schema.lua": "return { fields = {} }", "a.b.lua": "x"},
			"y in a": {"c.lua": "", "b.txt": ""}, "z in a/b": {"txt": ""},
		},
	}
	owners := map[string]string{}
	for _, plugin := range []string{
		"dao-test", "dao_test", "Dao-Test", "DAO--TEST", "1", "x", "a_-_b", "a_b", "v1_x",
		strings.Repeat("a", 63), strings.Repeat("A", 63),
	} {
		for what, of := range contents {
			copied := of.release(t, plugin).CopiedFrom("plugins")
			for _, one := range copied.Copies {
				owner := plugin + ", " + what
				if other, taken := owners[one.Name]; taken {
					t.Errorf("%s and %s have the same name %q", owner, other, one.Name)
				}
				owners[one.Name] = owner
				if problems := validation.IsDNS1123Subdomain(one.Name); len(problems) > 0 {
					t.Errorf("%s: name %q is invalid: %v", owner, one.Name, problems)
				}
				checkKeys(t, owner, one)
			}
		}
	}
}

func checkKeys(t *testing.T, owner string, one catalog.Copy) {
	t.Helper()
	seen := map[string]bool{}
	for _, key := range one.Keys {
		if problems := validation.IsConfigMapKey(key.Name); len(problems) > 0 || seen[key.Name] {
			t.Errorf("%s: key %q is a duplicate or invalid: %v", owner, key.Name, problems)
		}
		seen[key.Name] = true
	}
}

// TestLargeReleaseHasSeveralCopies checks that copies are not larger than 900 KiB including keys, unless a single file
// is larger, and that no file is split.
func TestLargeReleaseHasSeveralCopies(t *testing.T) {
	const kib = 1 << 10
	for name, test := range map[string]struct {
		kibs   []int
		want   []int // the number of files in each copy
		reason string
	}{
		"small files": {[]int{1, 1}, []int{2}, "one copy is enough"},
		"under limit": {[]int{450, 449}, []int{2}, "899 KiB and the keys fit"},
		"over limit":  {[]int{450, 450}, []int{1, 1}, "900 KiB and the keys do not fit"},
		"large files": {[]int{899, 899, 899}, []int{1, 1, 1}, "each file has its own copy"},
		"larger file": {[]int{1, 1000, 1}, []int{1, 1, 1}, "a file is never split, and a ConfigMap holds 1 MiB (fact V6)"},
		"order":       {[]int{600, 600, 1, 300}, []int{1, 2, 1}, "files are sorted by path, so the result is stable"},
	} {
		t.Run(name, func(t *testing.T) {
			contents := libraryContents{"code": {"handler.lua": "return {}", "schema.lua": "return { fields = {} }"}}
			for i, size := range test.kibs {
				contents[fmt.Sprintf("part-%d", i)] = map[string]string{
					fmt.Sprintf("a%d.txt", i): strings.Repeat("x", size*kib),
				}
			}
			copied := contents.release(t, "dao-test").CopiedFrom("plugins")
			var got []int
			for i, made := range copiesOf(copied, contents) {
				count := 0
				for key := range made.Data {
					if strings.HasSuffix(key, ".txt") {
						count++
					}
				}
				got = append(got, count)
				if !copied.Copies[i].Matches(catalog.NewSource(made)) || copied.Sources[i].Name != made.Name {
					t.Errorf("copy %d does not match, or is not in the sources", i)
				}
				if i > 0 && made.Name != fmt.Sprintf("%s-%d", copied.Copies[0].Name, i+1) {
					t.Errorf("copy %d has the name %q", i, made.Name)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("the copies have %v files; want %v: %s", got, test.want, test.reason)
			}
		})
	}
}

// TestCopyMatches checks that kongdao detects every change of a copy before a pod starts with it.
func TestCopyMatches(t *testing.T) {
	contents := smallPlugin()
	copied := contents.release(t, "dao-test").CopiedFrom("plugins")
	key := copied.Copies[0].Keys[0].Name
	for name, test := range map[string]struct {
		change func(*corev1.ConfigMap)
		want   bool
	}{
		"unchanged": {func(*corev1.ConfigMap) {}, true},
		"in binaryData": {func(c *corev1.ConfigMap) {
			c.BinaryData = map[string][]byte{key: []byte(c.Data[key])}
			delete(c.Data, key)
		}, true}, // the pod gets the same file
		"content changed": {func(c *corev1.ConfigMap) { c.Data[key] += " " }, false},
		"contents swapped": {func(c *corev1.ConfigMap) {
			a, b := key, copied.Copies[0].Keys[2].Name
			c.Data[a], c.Data[b] = c.Data[b], c.Data[a]
		}, false},
		"key removed":      {func(c *corev1.ConfigMap) { delete(c.Data, key) }, false},
		"key added":        {func(c *corev1.ConfigMap) { c.Data["x"] = "" }, false},
		"binary key added": {func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{"x": nil} }, false},
		"key renamed":      {func(c *corev1.ConfigMap) { c.Data["x"] = c.Data[key]; delete(c.Data, key) }, false},
		"not immutable":    {func(c *corev1.ConfigMap) { c.Immutable = nil }, false},
		"immutable: false": {func(c *corev1.ConfigMap) { *c.Immutable = false }, false},
		"another name":     {func(c *corev1.ConfigMap) { c.Name += "-2" }, false},
		"empty":            {func(c *corev1.ConfigMap) { *c = corev1.ConfigMap{} }, false},
	} {
		made := copiesOf(copied, contents)[0]
		test.change(made)
		if got := copied.Copies[0].Matches(catalog.NewSource(made)); got != test.want {
			t.Errorf("%s: Matches() = %v; want %v", name, got, test.want)
		}
	}
}
