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
)

// libraryContents are what the ConfigMaps of a library hold, by name and key.
type libraryContents map[string]map[string]string

// release is what a library has of a plugin: keys are paths with dots for
// slashes, except that a ConfigMap "x in FOLDER" has its keys in that folder.
func (c libraryContents) release(t *testing.T, plugin string) *catalog.Release {
	t.Helper()
	var sources []catalog.Source
	for name, keys := range c {
		_, folder, placed := strings.Cut(name, " in ")
		if !placed {
			folder = "."
		}
		sources = append(sources, catalog.SourceOf(&corev1.ConfigMap{
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
		t.Fatalf("%d releases: %v", len(releases), releases[0].Denials)
	}
	return releases[0]
}

// small is a plugin's two files and a migration.
func small() libraryContents {
	return libraryContents{
		"dao-test": {"handler.lua": "return {}", "schema.lua": "return { }", "daos.lua": "return {}"},
		"below in migrations": {
			"init.lua": `return { "000_base" }`, "000_base.lua": "return { postgres = {} }",
		},
	}
}

// copiesOf makes the ConfigMaps that a release's copies are to be.
func copiesOf(release *catalog.Release, from libraryContents) []*corev1.ConfigMap {
	var made []*corev1.ConfigMap
	immutable := true
	for _, copied := range release.Copies {
		configMap := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: copied.Name, Labels: map[string]string{annotations.Plugin: "", annotations.CopyOf: release.Plugin}},
			Immutable:  &immutable, Data: map[string]string{},
		}
		for _, key := range copied.Keys {
			configMap.Data[key.Name] = from[key.Source][key.Key]
		}
		made = append(made, configMap)
	}
	return made
}

// TestCopiedFrom proves that the pods of another namespace get the very files of
// the release, by path, content and digest, out of ConfigMaps that are immutable
// and there; that the release itself stays as it is; and that a copy does not
// depend on how often, or from which packing, it is made, but on the library: a
// copy says of one where it is from.
func TestCopiedFrom(t *testing.T) {
	contents := small()
	release := contents.release(t, "dao-test")
	before := *release
	before.Files = slices.Clone(release.Files)
	copied := release.CopiedFrom("plugins")
	if diff := cmp.Diff(&before, release, cmpopts.IgnoreUnexported(catalog.File{})); diff != "" {
		t.Errorf("the library's release changed (-before +after):\n%s", diff)
	}
	if copied.Digest != release.Digest || copied.MigrationsDigest != release.MigrationsDigest || copied.Version != release.Version || copied.Library != "plugins" {
		t.Errorf("not the release of the library: %+v", copied)
	}
	if copied.HasEntities() != release.HasEntities() {
		t.Error("what the files list got lost")
	}
	holds := map[string]map[string]string{}
	for _, configMap := range copiesOf(copied, contents) {
		holds[configMap.Name] = configMap.Data
	}
	for i, file := range copied.Files {
		original := release.Files[i]
		if file.Path != original.Path || file.Digest != original.Digest || file.Size != original.Size || !file.Immutable {
			t.Errorf("file %+v, and in the library %+v", file, original)
		}
		if content := holds[file.Source][file.Key]; content != contents[original.Source][original.Key] || sha256.Sum256([]byte(content)) != file.Digest {
			t.Errorf("file %q: ConfigMap %q, key %q holds %q", file.Path, file.Source, file.Key, content)
		}
	}
	if want := []catalog.SourceRef{{Name: copied.Copies[0].Name, Immutable: true}}; !slices.Equal(want, copied.Sources) {
		t.Errorf("sources %v, want %v", copied.Sources, want)
	}
	if diff := cmp.Diff(copied, release.CopiedFrom("plugins"), cmpopts.IgnoreUnexported(catalog.File{})); diff != "" {
		t.Errorf("made again it differs (-first +second):\n%s", diff)
	}
	one := libraryContents{"other": {
		"handler.lua": "return {}", "schema.lua": "return { }", "daos.lua": "return {}",
		"migrations.init.lua": `return { "000_base" }`, "migrations.000_base.lua": "return { postgres = {} }",
	}}.release(t, "dao-test")
	if other := one.CopiedFrom("elsewhere"); other.Copies[0].Name == copied.Copies[0].Name {
		t.Error("two libraries share a copy")
	}
	one = one.CopiedFrom("plugins")
	if one.Copies[0].Name != copied.Copies[0].Name || !one.Copies[0].IsCopy(catalog.SourceOf(copiesOf(copied, contents)[0])) {
		t.Error("the same files in another packing make another copy")
	}
}

// TestCopyNames proves that names are ones that the API server takes, whatever a
// plugin is called and however deep its files lie, and that different plugins, or
// different contents, never share one.
func TestCopyNames(t *testing.T) {
	deep := "x in " + strings.Repeat("a/", 100) + "b"
	long := strings.Repeat("k", 253) // as long as a key may be
	contents := map[string]libraryContents{
		"small": small(),
		"other": {"x": {"handler.lua": "return { }", "schema.lua": ""}},
		"moved": {"x": {"schema.lua": "return { }", "handler.lua": ""}},
		"deep":  {"x": {"handler.lua": "", "schema.lua": ""}, deep: {"a.lua": "", "b.lua": "1", long: ""}},
		"dots":  {"x": {"handler.lua": "", "schema.lua": "", "a.b.lua": "x"}, "y in a": {"c.lua": "", "b.txt": ""}, "z in a/b": {"txt": ""}},
	}
	owners := map[string]string{}
	for _, plugin := range []string{"dao-test", "dao_test", "Dao-Test", "DAO--TEST", "1", "x", "a_-_b", "a_.b", "a.b", "v1._x", strings.Repeat("a", 63), strings.Repeat("A", 63)} {
		for what, of := range contents {
			copied := of.release(t, plugin).CopiedFrom("plugins")
			for _, one := range copied.Copies {
				owner := plugin + ", " + what
				if other, taken := owners[one.Name]; taken {
					t.Errorf("%s and %s share the name %q", owner, other, one.Name)
				}
				owners[one.Name] = owner
				if wrong := validation.IsDNS1123Subdomain(one.Name); len(wrong) > 0 {
					t.Errorf("%s: name %q: %v", owner, one.Name, wrong)
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
		if wrong := validation.IsConfigMapKey(key.Name); len(wrong) > 0 || seen[key.Name] {
			t.Errorf("%s: key %q is there twice, or: %v", owner, key.Name, wrong)
		}
		seen[key.Name] = true
	}
}

// TestCopiesSplit proves that what one ConfigMap could not hold becomes several,
// none of them larger than 900 KiB, keys and all, but where a single file is, each
// file in one.
func TestCopiesSplit(t *testing.T) {
	const kib = 1 << 10
	for name, test := range map[string]struct {
		kibs   []int
		want   []int // how many of the files each copy has
		reason string
	}{
		"one":            {[]int{1, 1}, []int{2}, "no more than needed"},
		"nearly":         {[]int{450, 449}, []int{2}, "899 KiB and their keys fit"},
		"one too many":   {[]int{450, 450}, []int{1, 1}, "900 KiB and their keys do not"},
		"large files":    {[]int{899, 899, 899}, []int{1, 1, 1}, "each its own"},
		"larger":         {[]int{1, 1000, 1}, []int{1, 1, 1}, "a file is never cut, and 1 MiB is the limit (V6)"},
		"in their order": {[]int{600, 600, 1, 300}, []int{1, 2, 1}, "by path, so that the same files always lie alike"},
	} {
		t.Run(name, func(t *testing.T) {
			contents := libraryContents{"code": {"handler.lua": "", "schema.lua": ""}}
			for i, size := range test.kibs {
				contents[fmt.Sprintf("part-%d", i)] = map[string]string{fmt.Sprintf("a%d.txt", i): strings.Repeat("x", size*kib)}
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
				if !copied.Copies[i].IsCopy(catalog.SourceOf(made)) || copied.Sources[i].Name != made.Name {
					t.Errorf("copy %d is none, or not among the sources", i)
				}
				if i > 0 && made.Name != fmt.Sprintf("%s-%d", copied.Copies[0].Name, i+1) {
					t.Errorf("copy %d is called %q", i, made.Name)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("copies of %v files, want %v: %s", got, test.want, test.reason)
			}
		})
	}
}

// TestIsCopy proves that whatever somebody does to a copy is noticed, before a
// pod starts with it.
func TestIsCopy(t *testing.T) {
	contents := small()
	copied := contents.release(t, "dao-test").CopiedFrom("plugins")
	key := copied.Copies[0].Keys[0].Name
	for name, test := range map[string]struct {
		change func(*corev1.ConfigMap)
		want   bool
	}{
		"as it was made": {func(*corev1.ConfigMap) {}, true},
		"as bytes": {func(c *corev1.ConfigMap) {
			c.BinaryData = map[string][]byte{key: []byte(c.Data[key])}
			delete(c.Data, key)
		}, true}, // a pod cannot tell
		"content": {func(c *corev1.ConfigMap) { c.Data[key] += " " }, false},
		"two exchanged": {func(c *corev1.ConfigMap) {
			a, b := key, copied.Copies[0].Keys[2].Name
			c.Data[a], c.Data[b] = c.Data[b], c.Data[a]
		}, false},
		"a key is missing":   {func(c *corev1.ConfigMap) { delete(c.Data, key) }, false},
		"a key is added":     {func(c *corev1.ConfigMap) { c.Data["x"] = "" }, false},
		"bytes are added":    {func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{"x": nil} }, false},
		"a key is renamed":   {func(c *corev1.ConfigMap) { c.Data["x"] = c.Data[key]; delete(c.Data, key) }, false},
		"not immutable":      {func(c *corev1.ConfigMap) { c.Immutable = nil }, false},
		"explicitly mutable": {func(c *corev1.ConfigMap) { *c.Immutable = false }, false},
		"another name":       {func(c *corev1.ConfigMap) { c.Name += "-2" }, false},
		"nothing":            {func(c *corev1.ConfigMap) { *c = corev1.ConfigMap{} }, false},
	} {
		made := copiesOf(copied, contents)[0]
		test.change(made)
		if got := copied.Copies[0].IsCopy(catalog.SourceOf(made)); got != test.want {
			t.Errorf("%s: IsCopy is %v", name, got)
		}
	}
}
