package sourcereview_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/pack"
	"kongdao.io/kongdao/pkg/sourcereview"
	"kongdao.io/kongdao/test/configmaps"
)

type files = map[string]string

// source returns an immutable source with more files. A content "-" removes a file.
func source(name string, extra files) *corev1.ConfigMap {
	made := configmaps.Source("kong", name, "p")
	maps.Copy(made.Data, extra)
	maps.DeleteFunc(made.Data, func(_, content string) bool { return content == "-" })
	return made
}

// packed returns the packed ConfigMaps of a plugin with an error.
func packed(t *testing.T, extra files) []*corev1.ConfigMap {
	t.Helper()
	contents := map[string][]byte{}
	for path, content := range source("", extra).Data {
		contents[path] = []byte(content)
	}
	made, denials := pack.Pack("p", contents, pack.Options{Namespace: "kong", Force: true})
	if len(denials) > 0 {
		t.Fatal(denials)
	}
	var all []*corev1.ConfigMap
	for i := range made.ConfigMaps {
		delete(made.ConfigMaps[i].Annotations, annotations.Force)
		all = append(all, &made.ConfigMaps[i])
	}
	return all
}

// forced sets the annotation that turns denials into warnings.
func forced(configMap *corev1.ConfigMap) *corev1.ConfigMap {
	if configMap.Annotations == nil {
		configMap.Annotations = map[string]string{}
	}
	configMap.Annotations[annotations.Force] = "true"
	return configMap
}

func mutable(configMap *corev1.ConfigMap) *corev1.ConfigMap {
	configMap.Immutable = nil
	return configMap
}

const (
	entities  = `return { { name = "t", primary_key = { "id" }, fields = {} } }`
	noReturn  = "local H = {}"
	tableRule = "handler.lua: the file returns nothing, and must return a table; Kong does not start; end the file"
)

func TestNew(t *testing.T) {
	migrations := files{"migrations.init.lua": `return { "000_base", "001_next" }`,
		"migrations.000_base.lua": `return { postgres = { up = "SELECT 1" } }`,
		"migrations.001_next.lua": `return { postgres = { up = "SELECT 2" } }`}
	digest := func(name string) string {
		release := catalog.Assemble("p", []catalog.Source{catalog.NewSource(source("a", migrations))})[0]
		for _, migration := range release.Migrations() {
			if migration.Name == name {
				return migration.Digest
			}
		}
		return ""
	}
	for name, test := range map[string]struct {
		source *corev1.ConfigMap
		others []*corev1.ConfigMap
		// executed are the names and digests of executed migrations.
		executed []catalog.Migration
		// denials and warnings are parts of the messages.
		denials, warnings, forced []string
		reason                    string
	}{
		"fine": {source: source("a", nil)},
		"sure error in a file": {source: source("a", files{"handler.lua": noReturn}), denials: []string{tableRule},
			reason: "no other ConfigMap can change this file"},
		"forced": {source: forced(source("a", files{"handler.lua": noReturn})),
			warnings: []string{"forced: " + tableRule}, forced: []string{"handler-table"}},
		"missing file": {source: source("a", files{"schema.lua": "-", "daos.lua": entities}),
			warnings: []string{
				"incomplete so far: the plugin has no schema.lua", "incomplete so far: daos.lua defines entities",
			},
			reason: "another ConfigMap may have the files"},
		"packed with a missing migration": {source: packed(t, files{"migrations/init.lua": `return { "000_base" }`})[0],
			denials: []string{`migrations/init.lua:1: the list names the migration "000_base", which has no file`},
			reason:  "the digest shows that the release is complete"},
		"a part of a packed release": {
			source: packed(t, files{"migrations/init.lua": `return { "000_base" }`,
				"a.lua": strings.Repeat("-", 600<<10), "b.lua": strings.Repeat("-", 600<<10)})[1],
			warnings: []string{"incomplete so far: migrations/init.lua:1: the list names",
				"pods that request the release are denied so far: plugin \"p@1.0.0\": the files in ConfigMap"},
			reason: "the other part has not been created yet"},
		"error in another ConfigMap": {source: source("a", nil),
			others:   []*corev1.ConfigMap{source("b", files{"handler.lua": "-", "schema.lua": "-", "daos.lua": "return 1"})},
			warnings: []string{"incomplete so far: daos.lua defines entities"},
			reason:   "this ConfigMap does not cause it, and a third one may have the migrations"},
		"conflict": {source: source("a", files{"lib.lua": "return 1"}),
			others:   []*corev1.ConfigMap{source("b", files{"handler.lua": "-", "schema.lua": "-", "lib.lua": "return 2"})},
			warnings: []string{`pods that request the release are denied so far: plugin "p": file "lib.lua" differs between`}},
		"escaping path": {source: source("a", files{"...lua": ""}), denials: []string{`ConfigMap "a", key "...lua": path`}},
		"forced path": {source: forced(source("a", files{"...lua": ""})),
			warnings: []string{`forced: ConfigMap "a", key "...lua": path`}, forced: []string{"sources"},
			reason: "pods that request the release are denied anyway"},
		"destructive SQL": {
			source: source("a", files{"migrations.init.lua": `return { "000_base" }`,
				"migrations.000_base.lua": `return { postgres = { up = "DROP TABLE IF EXISTS t" } }`}),
			warnings: []string{"old pods still use what the statement drops"}},
		"older Kong": {source: source("a", files{"handler.lua": `require "kong.plugins.base_plugin" return {}`}),
			warnings: []string{"the handler has no PRIORITY", "the handler has no VERSION",
				`Kong 3.0 removed the module "kong.plugins.base_plugin"; Kong 3.0 and newer: Kong does not start`},
			reason: "Kong 2.8 accepts it"},
		"mutable": {source: mutable(source("a", nil)), warnings: []string{"this ConfigMap is not immutable"}},
		"too many keys": {source: source("a", manyKeys(1001)),
			warnings: []string{`pods that request the release are denied so far: plugin "p": ConfigMap "a" has 1003 keys`}},
		"same migrations": {source: source("a", migrations),
			executed: []catalog.Migration{{Name: "000_base", Digest: digest("000_base")}}},
		"edited migration": {source: source("a", migrations),
			executed: []catalog.Migration{{Name: "000_base", Digest: "sha256:other"}},
			warnings: []string{`migration "000_base" differs from the one that Kong has executed (PluginMigration "kong/m")`}},
		"inserted migration": {source: source("a", migrations),
			executed: []catalog.Migration{{Name: "001_next", Digest: digest("001_next")}},
			warnings: []string{`migration "000_base" is listed before migrations that Kong has executed`}},
		"many problems": {source: source("a", files{"migrations.init.lua": "return { " + names(100) + " }"}),
			warnings: []string{"m00", "m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "and 41 more"},
			reason:   "the catalog has a limit, too"},
	} {
		t.Run(name, func(t *testing.T) {
			written := catalog.NewSource(test.source)
			var index catalog.Index
			for _, other := range test.others {
				index.Put(catalog.NewSource(other))
			}
			release := index.ReleasesWith(written)[0]
			var executed []sourcereview.Executed
			if test.executed != nil {
				executed = []sourcereview.Executed{{PluginMigration: "kong/m", Migrations: test.executed}}
			}
			got := sourcereview.New(&written, release, executed)
			checkMessages(t, test.reason+" denials", test.denials, got.Denials)
			checkMessages(t, test.reason+" warnings", test.warnings, got.Warnings)
			if diff := cmp.Diff(test.forced, got.Forced); diff != "" {
				t.Errorf("forced (-want +got)\n%s", diff)
			}
		})
	}
}

// checkMessages checks that each message has one of the parts, in any order.
func checkMessages(t *testing.T, what string, parts, got []string) {
	t.Helper()
	if len(parts) != len(got) {
		t.Errorf("%s: got %d messages, want %d: %q", what, len(got), len(parts), got)
	}
	for _, part := range parts {
		if !slices.ContainsFunc(got, func(message string) bool { return strings.Contains(message, part) }) {
			t.Errorf("%s: no message has %q: %q", what, part, got)
		}
	}
}

func manyKeys(count int) files {
	keys := files{}
	for i := range count {
		keys[fmt.Sprintf("f%d.txt", i)] = ""
	}
	return keys
}

// names returns a list of migrations.
func names(count int) string {
	var list strings.Builder
	for i := range count {
		fmt.Fprintf(&list, "%q, ", fmt.Sprintf("m%02d", i))
	}
	return list.String()
}
