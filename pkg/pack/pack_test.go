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

// plugin is a small folder that Kong takes, with more files and without some.
func plugin(more map[string]string, without ...string) map[string][]byte {
	files := map[string][]byte{
		"handler.lua":             []byte(`return { PRIORITY = 1, VERSION = "1.2.3" }`),
		"schema.lua":              []byte(`return { name = "p" }`),
		"daos.lua":                []byte(`return { {} }`),
		"migrations/init.lua":     []byte(`return { "000_base" }`),
		"migrations/000_base.lua": []byte(`return { postgres = { up = "" } }`),
	}
	for path, content := range more {
		files[path] = []byte(content)
	}
	for _, path := range without {
		delete(files, path)
	}
	return files
}

// summary is what tests compare: each ConfigMap as its name, the annotation
// kongdao.io/path and the keys.
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
		reason  string
		plugin  string
		files   map[string][]byte
		options Options
		want    []string
		notes   []string
	}{
		"default": {
			reason: "one ConfigMap, its keys the names of Lua's modules, its name with version and digest",
			plugin: "p", files: plugin(nil),
			want: []string{"p-1.2.3-2b408b6855 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"flat": {
			reason: "as kubectl create configmap --from-file would, and no path that would keep keys from being routed",
			plugin: "p", files: plugin(nil), options: Options{Flat: true},
			want: []string{"p-1.2.3-2b408b6855 [no path] 000_base.lua daos.lua handler.lua init.lua schema.lua"},
		},
		"mutable": {
			reason: "what is edited keeps its name",
			plugin: "p", files: plugin(nil), options: Options{Mutable: true},
			want: []string{"p-1.2.3 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"names for DNS": {
			reason: "a plugin's name and version are labels, which take more than names of objects do",
			plugin: "My_Plugin", files: plugin(nil), options: Options{Mutable: true, Version: "2_.-Beta"},
			want: []string{"my-plugin-2.beta [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
		},
		"other files": {
			reason: "files that are no modules keep their names, and those in folders need a ConfigMap that names the folder",
			plugin: "p", files: plugin(map[string]string{"a/b/x.tar.gz": "\xff", "a/y.lua": "", "a/z": "", "b": "\xfe"}), options: Options{Mutable: true},
			want: []string{
				"p-1.2.3 [.] a.y.lua daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua b (binary)",
				"p-1.2.3-2 [a] z",
				"p-1.2.3-3 [a/b] x.tar.gz (binary)",
			},
		},
		"left out": {
			reason: "hidden files and editors' leftovers are nobody's plugin, and a note says so once a folder",
			plugin: "p", files: plugin(map[string]string{".git/HEAD": "", ".git/config": "", "a.lua~": "", "migrations/.init.lua.swp": "", "x.swp": ""}),
			options: Options{Mutable: true},
			want:    []string{"p-1.2.3 [.] daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua"},
			notes: []string{
				`".git" is left out: its name begins with a dot`, `"a.lua~" is left out: an editor left it behind`,
				`"migrations/.init.lua.swp" is left out: its name begins with a dot`, `"x.swp" is left out: an editor left it behind`,
			},
		},
		"large": {
			reason: "more than a ConfigMap holds is split, and kubectl apply cannot keep a copy in its annotation",
			plugin: "p", files: plugin(map[string]string{"a.lua": strings.Repeat("-", 600<<10), "b.lua": strings.Repeat("-", 600<<10)}),
			options: Options{Mutable: true},
			want: []string{
				"p-1.2.3 [.] a.lua",
				"p-1.2.3-2 [.] b.lua daos.lua handler.lua migrations.000_base.lua migrations.init.lua schema.lua",
			},
			notes: []string{`ConfigMap "p-1.2.3" and "p-1.2.3-2": too large for the annotation that "kubectl apply" keeps; use "kubectl create" or "kubectl apply --server-side"`},
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
			if diff := cmp.Diff(test.notes, packed.Notes); diff != "" {
				t.Errorf("%s: notes (-want +got):\n%s", test.reason, diff)
			}
		})
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
		"nothing": {
			reason: "an empty folder makes no ConfigMap at all",
			want:   []string{`folder "p": holds no files; name the folder that handler.lua is in`},
		},
		"name": {
			reason: "K1: a dot is a slash to Lua",
			plugin: "my.plugin", files: plugin(nil),
			want: []string{`folder "my.plugin": plugin name "my.plugin" contains a dot, which Lua's require reads as a slash; rename it, or pack with --name`},
		},
		"dots in names of modules": {
			reason: "K1: such files can never be loaded",
			files:  plugin(map[string]string{"a.b.lua": "", "v1.0/c.lua": ""}),
			want: []string{
				`folder "p": file "a.b.lua" can never be loaded, for Lua's require reads a dot in a module's name as a slash; rename it without further dots`,
				`folder "p": file "v1.0/c.lua" can never be loaded, for Lua's require reads a dot in a module's name as a slash; rename it without further dots`,
			},
		},
		"characters": {
			reason: "V6: what no key can hold, all of it in one sentence",
			files:  plugin(map[string]string{"a b.txt": "", "ü.lua": "", "c/../d": "", "e//f": ""}),
			want: []string{
				`folder "p": the names of "a b.txt", "c/../d", "e//f" and "ü.lua" have characters that no key of a ConfigMap can hold; rename them with letters, digits, "-", "_" and "."`,
			},
		},
		"long key": {
			reason: "the API server would say it, long after",
			files:  plugin(map[string]string{strings.Repeat("a", 250) + ".txt": ""}),
			want: []string{`folder "p": file "` + strings.Repeat("a", 80) +
				`"... (254 bytes) makes a key of 254 bytes, and Kubernetes takes 253; shorten its name`},
		},
		"large file": {
			reason: "one file cannot be split",
			files:  plugin(map[string]string{"big.bin": strings.Repeat("x", 1<<20)}),
			want:   []string{`folder "p": file "big.bin" has 1048576 bytes, and a ConfigMap has room for 921593; make it smaller, or bring it in the image`},
		},
		"file in the place of migrations": {
			reason: "the mount of the migrations would hide it",
			files:  plugin(map[string]string{"migrations": ""}, "migrations/init.lua", "migrations/000_base.lua"),
			want:   []string{`folder "p": file "migrations" is where the folder of the migrations belongs; rename it`},
		},
		"no version": {
			reason: "K4; and what else is wrong is said with it",
			files:  plugin(map[string]string{"handler.lua": "return {}"}, "schema.lua"),
			want: []string{
				`folder "p": handler.lua gives no VERSION that can be read from its text; write VERSION = "x.y.z" there, or pack with --version`,
				`folder "p": no schema.lua; add it, because Kong does not start without it`,
			},
		},
		"odd version": {
			reason: "K4: three numbers",
			files:  plugin(map[string]string{"handler.lua": `return { VERSION = "1.2" }`}),
			want:   []string{`folder "p": handler.lua gives VERSION "1.2", which is not of the form "x.y.z" (three numbers); mend it, or pack with --version`},
		},
		"version that is no label": {
			reason: "sources are found by labels",
			files:  plugin(nil), options: Options{Version: "1.0+x"},
			want: []string{`folder "p": version "1.0+x" is invalid; use 1 to 63 letters, digits, ".", "-" and "_", and start and end with a letter or digit`},
		},
		"no handler": {
			reason: "K7, without a word of a VERSION that cannot be there",
			files:  plugin(nil, "handler.lua"),
			want:   []string{`folder "p": no handler.lua; add it, because Kong does not start without it`},
		},
		"entities without migrations": {
			reason: "K5: nothing else would say so before the first request fails",
			files:  plugin(nil, "migrations/init.lua", "migrations/000_base.lua"), options: Options{Folder: "./src"},
			want: []string{`folder "./src": daos.lua without migrations/init.lua; add the migrations that create its tables, because otherwise every request that uses the entities answers 500`},
		},
		"missing migration": {
			reason: "K6",
			files:  plugin(nil, "migrations/000_base.lua"),
			want:   []string{`folder "p": migrations/init.lua lists "000_base", but there is no "migrations/000_base.lua"; add the file, or remove the name from the list`},
		},
		"flat with folders": {
			reason: "plain keys know the plugin's own folder and its migrations",
			files:  plugin(map[string]string{"lib/a.lua": "", "migrations/old/b.lua": ""}), options: Options{Flat: true},
			want: []string{
				`folder "p": file "lib/a.lua" is neither in the plugin's own folder nor in migrations/, and the flat form knows no other; pack without --flat`,
				`folder "p": file "migrations/old/b.lua" is neither in the plugin's own folder nor in migrations/, and the flat form knows no other; pack without --flat`,
			},
		},
		"flat collision": {
			reason: "two files would become one",
			files:  plugin(map[string]string{"init.lua": ""}), options: Options{Flat: true},
			want: []string{`folder "p": files "init.lua" and "migrations/init.lua" would get one key, for the flat form keeps no folders; rename one of them, or pack without --flat`},
		},
		"flat guess": {
			reason: "what no list names would be read as a file of the plugin's own folder",
			files:  plugin(map[string]string{"migrations/helper.lua": ""}), options: Options{Flat: true},
			want: []string{`folder "p": in the flat form "migrations/helper.lua" would be read as "helper.lua"; pack without --flat`},
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
				t.Errorf("%s: packed all the same", test.reason)
			}
		})
	}
}
