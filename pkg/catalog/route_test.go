package catalog

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
)

// source makes a source out of "key: content" lines, "key" alone being empty.
func source(name string, folder *string, lines ...string) Source {
	data := map[string]string{}
	for _, line := range lines {
		key, content, _ := strings.Cut(line, ": ")
		data[key] = content
	}
	configMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name, Labels: map[string]string{annotations.Plugin: "p"}},
		Data:       data,
	}
	if folder != nil {
		configMap.Annotations = map[string]string{annotations.Path: *folder}
	}
	return SourceOf(configMap)
}

func paths(release *Release) []string {
	var paths []string
	for _, file := range release.Files {
		paths = append(paths, file.Path)
	}
	return paths
}

func TestRouting(t *testing.T) {
	in := func(folder string) *string { return &folder }
	for name, test := range map[string]struct {
		sources []Source
		want    []string
		reason  string
	}{
		"flat": {[]Source{source("a", nil, "handler.lua", `init.lua: return {"b"}`, "b.lua", "c.lua")},
			[]string{"c.lua", "handler.lua", "migrations/b.lua", "migrations/init.lua"}, "init.lua and what it lists"},
		"flat over two": {[]Source{source("a", nil, "b.lua"), source("z", nil, `init.lua: return {"b"}`)},
			[]string{"migrations/b.lua", "migrations/init.lua"}, "the list counts for all flat sources"},
		"flat without list": {[]Source{source("a", nil, "000_b.lua", "handler.lua")},
			[]string{"000_b.lua", "handler.lua"}, "without init.lua nothing is a migration"},
		"listed handler": {[]Source{source("a", nil, `init.lua: return {"handler"}`, "handler.lua")},
			[]string{"migrations/handler.lua", "migrations/init.lua"}, "whatever is listed"},
		"computed": {[]Source{source("a", nil, "init.lua: return f()", "000_b.lua", "00_b.lua", "000b.lua", "000_.lua", "a00_b.lua", "001_b.txt", "001_b.c.lua")},
			[]string{"000_.lua", "000b.lua", "001_b.txt", "001_b/c.lua", "00_b.lua", "a00_b.lua", "migrations/000_b.lua", "migrations/init.lua"}, "NNN_*.lua, exactly"},
		"list with .lua": {[]Source{source("a", nil, `init.lua: return {"b.lua"}`, "b.lua", "b.lua.lua")},
			[]string{"b.lua", "migrations/b/lua.lua", "migrations/init.lua"}, "b.lua is the module b/lua to require (K1)"},
		"dotted":             {[]Source{source("a", nil, `init.lua: return {"v1.b"}`, "v1.b.lua")}, []string{"migrations/init.lua", "migrations/v1/b.lua"}, "dots are folders (K1)"},
		"folder":             {[]Source{source("a", in("migrations"), "init.lua", "b.lua")}, []string{"migrations/b.lua", "migrations/init.lua"}, "all keys there"},
		"folder, dots":       {[]Source{source("a", in("x"), "a.b.lua", "a.b.txt")}, []string{"x/a.b.txt", "x/a/b.lua"}, "only .lua files have no dots"},
		"modules":            {[]Source{source("a", nil, "migrations.init.lua", "a.b.c.lua", ".gitignore", "README")}, []string{".gitignore", "README", "a/b/c.lua", "migrations/init.lua"}, "dots are slashes"},
		"modules beat flat":  {[]Source{source("a", nil, "migrations.init.lua", `init.lua: return {"b"}`, "b.lua")}, []string{"b.lua", "init.lua", "migrations/init.lua"}, "where the list is elsewhere, init.lua is the root's"},
		"folder beats flat":  {[]Source{source("a", nil, `init.lua: return {"b"}`, "b.lua"), source("b", in("./migrations/"), "init.lua")}, []string{"b.lua", "init.lua", "migrations/init.lua"}, "the same by annotation"},
		"folder not the own": {[]Source{source("a", nil, `init.lua: return {"b"}`, "b.lua"), source("b", in("lib"), "init.lua")}, []string{"lib/init.lua", "migrations/b.lua", "migrations/init.lua"}, "another folder's init.lua is no list"},
		"list beside folder": {[]Source{source("a", nil, `init.lua: return {"b"}`, "b.lua"), source("b", in("migrations"), "c.lua")}, []string{"migrations/b.lua", "migrations/c.lua", "migrations/init.lua"}, "a folder without a list does not make init.lua the root's"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				release := Assemble("p", test.sources)[0]
				if diff := cmp.Diff(test.want, paths(release)); diff != "" {
					t.Errorf("%s (-want +got):\n%s\n%v", test.reason, diff, release.Denials)
				}
				slices.Reverse(test.sources)
			}
		})
	}
}

func TestCheckPath(t *testing.T) {
	for path, good := range map[string]bool{
		"a": true, "a/b.lua": true, ".hidden": true, "a/.hidden": true, "a.b/c-d_e": true, "...": false,
		strings.Repeat("a", 253): true, strings.Repeat("a", 254): false, strings.Repeat("a/", 255) + "aa": true, strings.Repeat("a/", 256) + "a": false,
		"": false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "./a": false, "a/.": false, "..": false, "../a": false, "a/..": false, "a/../b": false,
		"..a": false, "a/..b": false, ".lua": false, "a/.lua": false, "a b": false, "a\\b": false, "a\x00": false, "é": false, "a:b": false,
	} {
		if err := checkPath(path); (err == nil) != good {
			t.Errorf("checkPath(%.40q) = %v; want good %v", path, err, good)
		}
	}
}

// FuzzAssemble proves that whatever ConfigMaps hold, assembling does not
// panic, and that a release without denials is one that a projected volume
// takes: its files' paths are relative, stay in their folder, are there once,
// and none is a file and a folder.
func FuzzAssemble(f *testing.F) {
	f.Add("", false, "init.lua", `return { "000_base" }`, "000_base.lua", "")
	f.Add("migrations", true, "init.lua", `return { "../x" }`, "../x.lua", "")
	f.Add("../..", true, "migrations.init.lua", `return { ".." }`, "...lua", "")
	f.Add("/etc", true, "migrations", `return { "a/b" }`, "a/b.lua", "x")
	f.Add("./.", true, "migrations.lua", `return {}`, "init.lua", "return 1")
	f.Add("a//b/", false, "init.lua", `return { "../../handler" }`, "../../handler.lua", "")
	f.Add("", true, "a.lua", "", "a..lua", "")
	f.Fuzz(func(t *testing.T, folder string, inFolder bool, key, content, otherKey, otherContent string) {
		fuzzed := source("a", nil)
		if inFolder {
			fuzzed.Folder = &folder
		}
		fuzzed.Keys = append(fuzzed.Keys, keyOf(key, content), keyOf(otherKey, otherContent))
		sources := []Source{fuzzed, source("b", nil, "handler.lua", "schema.lua"), source("c", nil, "daos.lua", "init.lua: return {}")}
		for _, release := range Assemble("p", sources) {
			if len(release.Denials) > 0 {
				continue
			}
			folders := map[string]bool{}
			seen := map[string]bool{}
			for _, file := range release.Files {
				elements := strings.Split(file.Path, "/")
				for i, element := range elements {
					if problems := validation.IsConfigMapKey(element); len(problems) > 0 {
						t.Errorf("%q: %q", file.Path, problems)
					}
					if i > 0 {
						folders[strings.Join(elements[:i], "/")] = true
					}
				}
				if seen[file.Path] {
					t.Errorf("%q is there twice", file.Path)
				}
				seen[file.Path] = true
			}
			for path := range seen {
				if folders[path] || path == annotations.MigrationsFolder {
					t.Errorf("%q is a file and a folder", path)
				}
			}
		}
	})
}

// TestSumOf proves that hashing in blocks is hashing.
func TestSumOf(t *testing.T) {
	for _, size := range []int{0, 1, 1023, 1024, 1025, 2048, 5000} {
		text := strings.Repeat("x", size)
		if sumOf(text) != sha256.Sum256([]byte(text)) {
			t.Errorf("the sum of %d bytes is wrong", size)
		}
	}
}
