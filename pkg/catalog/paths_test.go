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
	"kongdao.io/kongdao/pkg/checks"
)

// newTestSource returns a source. Each line is a key with its content, "key: content", or only a key.
func newTestSource(name string, folder *string, lines ...string) Source {
	data := map[string]string{}
	for _, line := range lines {
		key, content, hasContent := strings.Cut(line, ": ")
		if !hasContent && strings.HasSuffix(key, checks.LuaSuffix) {
			content = luaContent(key)
		}
		data[key] = content
	}
	return newSourceWith(name, folder, data)
}

// luaContent returns a content that Kong may accept for a Lua file.
func luaContent(key string) string {
	switch key {
	case checks.HandlerFile:
		return "return {}"
	case checks.SchemaFile:
		return "return { fields = {} }"
	}
	return "return f()"
}

func newSourceWith(name string, folder *string, data map[string]string) Source {
	configMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name, Labels: map[string]string{annotations.Plugin: "p"}},
		Data:       data,
	}
	if folder != nil {
		configMap.Annotations = map[string]string{annotations.Path: *folder}
	}
	return NewSource(configMap)
}

func filePaths(release *Release) []string {
	var paths []string
	for _, file := range release.Files {
		paths = append(paths, file.Path)
	}
	return paths
}

func TestKeyPaths(t *testing.T) {
	source := newTestSource
	in := func(folder string) *string { return &folder }
	for name, test := range map[string]struct {
		sources []Source
		want    []string
		reason  string
	}{
		"flat": {
			[]Source{source("a", nil, "handler.lua", `init.lua: return {"b"}`, "b.lua", "c.lua")},
			[]string{"c.lua", "handler.lua", "migrations/b.lua", "migrations/init.lua"},
			"init.lua and the files in its list are migrations",
		},
		"flat in two sources": {
			[]Source{source("a", nil, "b.lua"), source("z", nil, `init.lua: return {"b"}`)},
			[]string{"migrations/b.lua", "migrations/init.lua"}, "the list applies to all flat sources",
		},
		"flat without a list": {
			[]Source{source("a", nil, "000_b.lua", "handler.lua")},
			[]string{"000_b.lua", "handler.lua"}, "without init.lua no file is a migration",
		},
		"handler in the list": {
			[]Source{source("a", nil, `init.lua: return {"handler"}`, "handler.lua")},
			[]string{"migrations/handler.lua", "migrations/init.lua"}, "every file in the list is a migration",
		},
		"computed list": {
			[]Source{source("a", nil, "init.lua: return f()", "000_b.lua", "00_b.lua", "000b.lua", "000_.lua",
				"a00_b.lua", "001_b.txt", "001_b.c.lua")},
			[]string{"000_.lua", "000b.lua", "001_b.txt", "001_b/c.lua", "00_b.lua", "a00_b.lua",
				"migrations/000_b.lua", "migrations/init.lua"},
			"files of the form NNN_*.lua are migrations",
		},
		"suffix in the list": {
			[]Source{source("a", nil, `init.lua: return {"b.lua"}`, "b.lua", "b.lua.lua")},
			[]string{"b.lua", "migrations/b/lua.lua", "migrations/init.lua"},
			"Lua reads the name b.lua as the module b/lua (fact K1)",
		},
		"dot in the list": {
			[]Source{source("a", nil, `init.lua: return {"v1.b"}`, "v1.b.lua")},
			[]string{"migrations/init.lua", "migrations/v1/b.lua"}, "Lua reads a dot as a slash (fact K1)",
		},
		"folder": {
			[]Source{source("a", in("migrations"), "init.lua", "b.lua")},
			[]string{"migrations/b.lua", "migrations/init.lua"}, "all keys are in the folder of the annotation",
		},
		"folder and dots": {
			[]Source{source("a", in("x"), "a.b.lua", "a.b.txt")},
			[]string{"x/a.b.txt", "x/a/b.lua"}, "only in .lua files a dot is a slash",
		},
		"modules": {
			[]Source{source("a", nil, "migrations.init.lua", "a.b.c.lua", ".gitignore", "README")},
			[]string{".gitignore", "README", "a/b/c.lua", "migrations/init.lua"}, "dots are slashes",
		},
		"modules and flat": {
			[]Source{source("a", nil, "migrations.init.lua", `init.lua: return {"b"}`, "b.lua")},
			[]string{"b.lua", "init.lua", "migrations/init.lua"},
			"with a list in another form, init.lua belongs to the plugin's directory",
		},
		"folder and flat": {
			[]Source{source("a", nil, `init.lua: return {"b"}`, "b.lua"), source("b", in("./migrations/"), "init.lua")},
			[]string{"b.lua", "init.lua", "migrations/init.lua"}, "the same with an annotation",
		},
		"other folder": {
			[]Source{source("a", nil, `init.lua: return {"b"}`, "b.lua"), source("b", in("lib"), "init.lua")},
			[]string{"lib/init.lua", "migrations/b.lua", "migrations/init.lua"},
			"init.lua in another folder is not a list of migrations",
		},
		"folder without a list": {
			[]Source{source("a", nil, `init.lua: return {"b"}`, "b.lua"), source("b", in("migrations"), "c.lua")},
			[]string{"migrations/b.lua", "migrations/c.lua", "migrations/init.lua"},
			"a migrations folder without a list does not change what init.lua is",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				release := Assemble("p", test.sources)[0]
				if diff := cmp.Diff(test.want, filePaths(release)); diff != "" {
					t.Errorf("%s (-want +got):\n%s\n%v", test.reason, diff, release.Denials)
				}
				slices.Reverse(test.sources)
			}
		})
	}
}

func TestValidatePath(t *testing.T) {
	for path, valid := range map[string]bool{
		"a": true, "a/b.lua": true, ".hidden": true, "a/.hidden": true, "a.b/c-d_e": true, "...": false,
		strings.Repeat("a", 253): true, strings.Repeat("a", 254): false,
		strings.Repeat("a/", 255) + "aa": true, strings.Repeat("a/", 256) + "a": false,
		"": false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "./a": false, "a/.": false,
		"..": false, "../a": false, "a/..": false, "a/../b": false, "..a": false, "a/..b": false,
		".lua": false, "a/.lua": false, "a b": false, "a\\b": false, "a\x00": false, "é": false, "a:b": false,
	} {
		if err := validatePath(path); (err == nil) != valid {
			t.Errorf("validatePath(%.40q) = %v; want valid = %v", path, err, valid)
		}
	}
}

// FuzzAssemble checks that Assemble never panics, and that a projected volume can hold each release without denials.
// The paths must be relative, valid and unique. No path may be both a file and a directory.
func FuzzAssemble(f *testing.F) {
	f.Add("", false, "init.lua", `return { "000_base" }`, "000_base.lua", "")
	f.Add("migrations", true, "init.lua", `return { "../x" }`, "../x.lua", "")
	f.Add("../..", true, "migrations.init.lua", `return { ".." }`, "...lua", "")
	f.Add("/etc", true, "migrations", `return { "a/b" }`, "a/b.lua", "x")
	f.Add("./.", true, "migrations.lua", `return {}`, "init.lua", "return 1")
	f.Add("a//b/", false, "init.lua", `return { "../../handler" }`, "../../handler.lua", "")
	f.Add("", true, "a.lua", "", "a..lua", "")
	f.Fuzz(func(t *testing.T, folder string, inFolder bool, key, content, otherKey, otherContent string) {
		path := &folder
		if !inFolder {
			path = nil
		}
		fuzzed := newSourceWith("a", path, map[string]string{key: content, otherKey: otherContent})
		sources := []Source{
			fuzzed, newTestSource("b", nil, "handler.lua", "schema.lua"),
			newTestSource("c", nil, "daos.lua", "init.lua: return {}"),
		}
		for _, release := range Assemble("p", sources) {
			if len(release.Denials) == 0 {
				checkPathsFitVolume(t, release)
			}
		}
	})
}

func checkPathsFitVolume(t *testing.T, release *Release) {
	t.Helper()
	folders := map[string]bool{}
	seen := map[string]bool{}
	for _, file := range release.Files {
		elements := strings.Split(file.Path, "/")
		for i, element := range elements {
			if problems := validation.IsConfigMapKey(element); len(problems) > 0 {
				t.Errorf("file %q has an invalid element: %q", file.Path, problems)
			}
			if i > 0 {
				folders[strings.Join(elements[:i], "/")] = true
			}
		}
		if seen[file.Path] {
			t.Errorf("file %q exists twice", file.Path)
		}
		seen[file.Path] = true
	}
	for path := range seen {
		if folders[path] || path == annotations.MigrationsFolder {
			t.Errorf("%q is a file and a directory", path)
		}
	}
}

// TestContentDigest checks that hashing in blocks gives the SHA-256 of the content.
func TestContentDigest(t *testing.T) {
	for _, size := range []int{0, 1, 1023, 1024, 1025, 2048, 5000} {
		content := strings.Repeat("x", size)
		if contentDigest(content) != sha256.Sum256([]byte(content)) {
			t.Errorf("contentDigest of %d bytes is not their SHA-256", size)
		}
	}
}
