package pack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// plugin returns the files of a small valid plugin. It adds the files in extra, and omits some.
func plugin(extra map[string]string, omitted ...string) map[string][]byte {
	files := map[string][]byte{
		"handler.lua":             []byte(`return { PRIORITY = 1, VERSION = "1.2.3" }`),
		"schema.lua":              []byte(`return { name = "p", fields = { { config = f } } }`),
		"daos.lua":                []byte(`return { f() }`),
		"migrations/init.lua":     []byte(`return { "000_base" }`),
		"migrations/000_base.lua": []byte(`return { postgres = { up = "SELECT 1" } }`),
	}
	for path, content := range extra {
		files[path] = []byte(content)
	}
	for _, path := range omitted {
		delete(files, path)
	}
	return files
}

// summary describes each ConfigMap with its name, the annotation kongdao.io/path and the keys.
func summary(configMaps []corev1.ConfigMap) []string {
	var lines []string
	for i := range configMaps {
		configMap := &configMaps[i]
		keys := slices.Sorted(maps.Keys(configMap.Data))
		for _, key := range slices.Sorted(maps.Keys(configMap.BinaryData)) {
			keys = append(keys, key+" (binary)")
		}
		folder, ok := configMap.Annotations[annotations.Path]
		if !ok {
			folder = "no path"
		}
		lines = append(lines, fmt.Sprintf("%s [%s] %s", configMap.Name, folder, strings.Join(keys, " ")))
	}
	return lines
}

func TestPack(t *testing.T) {
	cases := map[string]struct {
		reason   string
		plugin   string
		files    map[string][]byte
		options  Options
		want     []string
		warnings []string
	}{
		"default": {
			reason: "one ConfigMap with Lua module names as keys, and with version and digest in its name",
			plugin: "p", files: plugin(nil),
			want: []string{"p-1.2.3-a839447ff5 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"flat": {
			reason: "the keys of kubectl create configmap --from-file, without the annotation for the path",
			plugin: "p", files: plugin(nil), options: Options{Flat: true},
			want: []string{"p-1.2.3-a839447ff5 [no path] 000_base.lua daos.lua handler.lua init.lua schema.lua"},
		},
		"mutable": {
			reason: "the name does not change after an edit",
			plugin: "p", files: plugin(nil), options: Options{Mutable: true},
			want: []string{"p-1.2.3 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"names for DNS": {
			reason: "label values allow more characters than object names",
			plugin: "My_Plugin", files: plugin(nil), options: Options{Mutable: true, Version: "2_.-Beta"},
			want: []string{"my-plugin-2.beta [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"other files": {
			reason: "other files keep their names, and those in directories need a ConfigMap for the directory",
			plugin: "p",
			files: plugin(map[string]string{
				"a/b/x.tar.gz": "\xff", "a/y.lua": "", "a/z": "", "b": "\xfe",
			}),
			options: Options{Mutable: true},
			want: []string{
				"p-1.2.3 [.] a.y.lua daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua b (binary)",
				"p-1.2.3-2 [a] z",
				"p-1.2.3-3 [a/b] x.tar.gz (binary)",
			},
		},
		"excluded": {
			reason: "hidden files and backup files are not packed, with one warning for each directory",
			plugin: "p",
			files: plugin(map[string]string{
				".git/HEAD": "", ".git/config": "", "a.lua~": "", "migrations/.init.lua.swp": "", "x.swp": "",
			}),
			options: Options{Mutable: true},
			want:    []string{"p-1.2.3 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
			warnings: []string{
				`".git" is excluded: its name starts with a dot`, `"a.lua~" is excluded: it is an editor's backup file`,
				`"migrations/.init.lua.swp" is excluded: its name starts with a dot`, `"x.swp" is excluded: it is an editor's ` +
					`backup file`,
			},
		},
		"never loaded": {
			reason: "Kong never loads these files (fact K44)",
			plugin: "p",
			files: plugin(map[string]string{
				"a.b.lua": "(", "v1.0/c.lua": "", "a b.txt": "", "migrations/old.1.lua": "", "spec/ü.lua": "",
			}),
			options: Options{Mutable: true},
			want:    []string{"p-1.2.3 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
			warnings: []string{
				`"a b.txt" is excluded: Kong does not load it, and a ConfigMap cannot hold its name`,
				`"a.b.lua" is excluded: Kong cannot load it, because Lua reads a dot in the name of a module as a slash`,
				`"migrations/old.1.lua" is excluded: Kong cannot load it, because Lua reads a dot in the name of a module as a ` +
					`slash`,
				`"spec/ü.lua" is excluded: Kong does not load it, and a ConfigMap cannot hold its name`,
				`"v1.0/c.lua" is excluded: Kong cannot load it, because Lua reads a dot in the name of a module as a slash`,
			},
		},
		"file in the place of migrations": {
			reason: "the mount of the migrations would hide it", plugin: "p",
			files: plugin(map[string]string{"migrations": "", "daos.lua": "return {}"},
				"migrations/init.lua", "migrations/000_base.lua"),
			options: Options{Mutable: true},
			want:    []string{"p-1.2.3 [.] daos.lua handler.lua schema.lua"},
			warnings: []string{
				`"migrations" is excluded: it is in the place of the directory for migrations, and Kong does not load it`,
			},
		},
		"patterns": {
			reason: "the user excludes files by name, by directory and by path", plugin: "p",
			files: plugin(map[string]string{
				"spec/a.lua": "", "lib/spec/b.lua": "", "lib/c.md": "", "doc/d.md": "", "doc/e.lua": "", "f.txt": "",
				IgnoreFile: "# tests\nspec/\n\n *.txt \n",
			}),
			options: Options{Mutable: true, Exclude: []string{"lib/*.md", "/doc"}},
			want:    []string{"p-1.2.3 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
			warnings: []string{
				`"doc/d.md" is excluded: it matches "/doc"`, `"doc/e.lua" is excluded: it matches "/doc"`,
				`"f.txt" is excluded: it matches "*.txt"`, `"lib/c.md" is excluded: it matches "lib/*.md"`,
				`"lib/spec/b.lua" is excluded: it matches "spec/"`, `"spec/a.lua" is excluded: it matches "spec/"`,
			},
		},
		"versions": {
			reason:  "the version of the release is the part of VERSION that Kong reads, if a label cannot hold all of it",
			plugin:  "p",
			files:   plugin(map[string]string{"handler.lua": `return { PRIORITY = 1, VERSION = "v2.1+beta 3" }`}),
			options: Options{Mutable: true},
			want:    []string{"p-2.1 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"large": {
			reason: "a large plugin has several ConfigMaps, and kubectl apply cannot store them in an annotation",
			plugin: "p",
			files: plugin(map[string]string{
				"a.lua": strings.Repeat("-", 600<<10), "b.lua": strings.Repeat("-", 600<<10),
			}),
			options: Options{Mutable: true},
			want: []string{
				"p-1.2.3 [.] a.lua",
				"p-1.2.3-2 [.] b.lua daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua",
			},
			warnings: []string{`ConfigMaps "p-1.2.3" and "p-1.2.3-2": too large for "kubectl apply", which stores the object ` +
				`in an annotation; use "kubectl create" or "kubectl apply --server-side"`},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			packed, denied := Pack(test.plugin, test.files, test.options)
			if len(denied) > 0 {
				t.Fatalf("%s: denied: %v", test.reason, denied)
			}
			if diff := cmp.Diff(test.want, summary(packed.ConfigMaps)); diff != "" {
				t.Errorf("%s: ConfigMaps (-want +got):\n%s", test.reason, diff)
			}
			if diff := cmp.Diff(test.warnings, packed.Warnings); diff != "" {
				t.Errorf("%s: warnings (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestPackManyFiles checks that a ConfigMap gets no more keys than the catalog reads. The catalog also limits the files
// of a release.
func TestPackManyFiles(t *testing.T) {
	files := plugin(nil)
	for i := range 1400 {
		files[fmt.Sprintf("lib/f%04d.lua", i)] = []byte{}
	}
	packed, denied := Pack("p", files, Options{})
	var keys []int
	for i := range packed.ConfigMaps {
		keys = append(keys, len(packed.ConfigMaps[i].Data))
	}
	if diff := cmp.Diff([]int{1000, 405}, keys); diff != "" || len(denied) > 0 {
		t.Errorf("denied: %v; keys of the ConfigMaps (-want +got):\n%s", denied, diff)
	}
	for i := range 1400 {
		files[fmt.Sprintf("lib/g%04d.lua", i)] = []byte{}
	}
	_, denied = Pack("p", files, Options{})
	want := `folder "p": its ConfigMaps have 2805 keys, but the limit of a release is 2000; ` +
		`delete files that Kong does not load, or put some of them into Kong's image`
	if diff := cmp.Diff(want, denied.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPackDenies(t *testing.T) {
	cases := map[string]struct {
		reason  string
		plugin  string
		files   map[string][]byte
		options Options
		want    []string
	}{
		"empty": {
			reason: "an empty directory has no ConfigMap",
			want:   []string{`folder "p": has no files; use the directory that contains handler.lua`},
		},
		"name": {
			reason: "Lua's require reads a dot as a slash (fact K1)",
			plugin: "my.plugin", files: plugin(nil),
			want: []string{`folder "my.plugin": plugin name "my.plugin" contains a dot, which Lua's require reads as a ` +
				`slash; rename it, or pack with --name`},
		},
		"characters": {
			reason: "keys cannot hold these characters (fact V6), and one message names all files that Kong loads",
			files: plugin(map[string]string{
				"migrations/init.lua": `return { "000_base", "a b" }`, "migrations/a b.lua": `return { postgres = { up = "x" } }`,
				"ü.lua": "", "handler.lua": `require "kong.plugins.p.ü" return { PRIORITY = 1, VERSION = "1" }`,
			}),
			want: []string{
				`folder "p": the names of "migrations/a b.lua" and "ü.lua" have characters that a ConfigMap key cannot hold, and ` +
					`Kong loads them: rename them with letters, digits, "-", "_" and "."`,
			},
		},
		"repository": {
			reason: "most plugins are in a directory of their repository",
			files: map[string][]byte{
				"README.md": nil, "kong/plugins/a/handler.lua": nil, "kong/plugins/b/handler.lua": nil, "spec/x.lua": nil,
			},
			options: Options{Folder: "./repo"},
			want: []string{
				`folder "./repo": no handler.lua here; pack the folder of the plugin: "repo/kong/plugins/a" and ` +
					`"repo/kong/plugins/b"`,
			},
		},
		"long key": {
			reason: "the API server would reject it much later",
			files:  plugin(map[string]string{strings.Repeat("a", 250) + ".txt": ""}),
			want: []string{`folder "p": file "` + strings.Repeat("a", 80) +
				`"... (254 bytes) has a key of 254 bytes, but the limit is 253; shorten its name`},
		},
		"large file": {
			reason: "one file cannot be split",
			files:  plugin(map[string]string{"big.bin": strings.Repeat("x", 1<<20)}),
			want: []string{`folder "p": file "big.bin" has 1048576 bytes, but a ConfigMap has room for 921593; make it ` +
				`smaller, or put it into Kong's image`},
		},
		"no version": {
			reason: "Kong requires a VERSION (fact K4), --version does not help, and the other problems are reported too",
			files:  plugin(map[string]string{"handler.lua": "return { PRIORITY = 1 }"}, "schema.lua"),
			want: []string{
				`folder "p": the plugin has no schema.lua; Kong does not start: "no configuration schema found for plugin: p"; ` +
					`add schema.lua [schema-missing]`,
				`p/handler.lua:1: the handler has no VERSION; Kong does not start: "its VERSION field does not follow the ` +
					`"x.y.z" format, got: "nil""; write VERSION = "1.0.0", with quotes [handler-version]`,
			},
		},
		"no version, with a version": {
			reason: "the version of the release is not the handler's",
			files:  plugin(map[string]string{"handler.lua": "return { PRIORITY = 1 }"}), options: Options{Version: "1.0.0"},
			want: []string{
				`p/handler.lua:1: the handler has no VERSION; Kong does not start: "its VERSION field does not follow the ` +
					`"x.y.z" format, got: "nil""; write VERSION = "1.0.0", with quotes [handler-version]`,
			},
		},
		"computed version": {
			reason: "this is where --version helps",
			files:  plugin(map[string]string{"handler.lua": "return { PRIORITY = 1, VERSION = require('kong.meta').version }"}),
			want: []string{
				`folder "p": the VERSION in handler.lua cannot be read without running the code; pack with --version`,
			},
		},
		"invalid version": {
			reason: "the version is a label value",
			files:  plugin(nil), options: Options{Version: "1.0+x"},
			want: []string{`folder "p": version "1.0+x" is invalid; use 1 to 63 letters, digits, ".", "-" and "_", and start ` +
				`and end with a letter or digit`},
		},
		"no handler": {
			reason: "Kong does not start without a handler (fact K7), and a missing VERSION is not reported",
			files:  plugin(nil, "handler.lua"),
			want: []string{`folder "p": the plugin has no handler.lua; Kong does not start: "p plugin is enabled but not ` +
				`installed"; add handler.lua [handler-missing]`},
		},
		"missing migration": {
			reason: "Kong does not start if a listed migration is missing (fact K6)",
			files:  plugin(nil, "migrations/000_base.lua"), options: Options{Folder: "./src"},
			want: []string{
				`src/migrations/init.lua:1: the list names the migration "000_base", which has no file; "kong migrations" fails: ` +
					`"failed to load migration 'kong.plugins.p.migrations.000_base'"; add migrations/000_base.lua, or remove the ` +
					`name from the list [migration-missing]`,
			},
		},
		"flat with directories": {
			reason: "flat keys have no other directory than migrations",
			files:  plugin(map[string]string{"lib/a.lua": "", "migrations/old/b.lua": ""}), options: Options{Flat: true},
			want: []string{
				`folder "p": file "lib/a.lua" is in a directory other than migrations/, which the flat form does not support; ` +
					`pack without --flat`,
				`folder "p": file "migrations/old/b.lua" is in a directory other than migrations/, which the flat form does not ` +
					`support; pack without --flat`,
			},
		},
		"flat collision": {
			reason: "two files cannot have the same key",
			files:  plugin(map[string]string{"init.lua": ""}), options: Options{Flat: true},
			want: []string{`folder "p": files "init.lua" and "migrations/init.lua" have the same key, because the flat form ` +
				`has no directories; rename one of them, or pack without --flat`},
		},
		"flat helper module": {
			reason: "without an entry in the list, the file is read as a file of the plugin's directory",
			files:  plugin(map[string]string{"migrations/helper.lua": ""}), options: Options{Flat: true},
			want: []string{`folder "p": in the flat form, "migrations/helper.lua" would be read as "helper.lua"; pack ` +
				`without --flat`},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if test.plugin == "" {
				test.plugin = "p"
			}
			packed, denied := Pack(test.plugin, test.files, test.options)
			var got []string
			for _, one := range denied {
				got = append(got, one.Message)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if len(packed.ConfigMaps) > 0 {
				t.Errorf("%s: Pack returned ConfigMaps with denials", test.reason)
			}
		})
	}
}
