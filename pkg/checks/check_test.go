package checks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/checks"
)

// TestKongVersions checks plugins for different versions of Kong.
func TestKongVersions(t *testing.T) {
	versions := map[string]checks.KongVersion{"": {}}
	for _, text := range []string{"2.8", "3.0.1", "3.4", "3.9", "3.10.0.2"} {
		version, err := checks.ParseKongVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		versions[text] = version
	}
	for name, test := range map[string]struct {
		changes change
		// errors are the versions with an error. In the version "", which stands for all, there is a warning.
		errors []string
		rule   string
	}{
		"no priority": {change{"handler.lua": "return { VERSION = \"1.0.0\" }"}, []string{"3.0.1", "3.4", "3.9", "3.10.0.2"},
			"handler-priority"},
		"Cassandra": {change{"migrations/000_base.lua": "return { postgres = { up = \"SELECT 1\" }, cassandra = {} }"},
			[]string{"3.4", "3.9", "3.10.0.2"}, "migration-cassandra"},
		"only Cassandra": {change{"migrations/000_base.lua": "return { cassandra = { up = \"SELECT 1\" } }"},
			[]string{"3.4", "3.9", "3.10.0.2"}, "migration-empty"},
		"base plugin": {change{"handler.lua": "return require(\"kong.plugins.base_plugin\"):extend()"},
			[]string{"3.0.1", "3.4", "3.9", "3.10.0.2"}, "module-base-plugin"},
		"new attribute": {change{"schema.lua": schemaWith(`{ a = { type = "string", description = "a long text" } }`)},
			[]string{"2.8", "3.0.1"}, "schema-attribute"},
		"empty list": {change{"migrations/init.lua": "return {}"}, []string{"", "2.8", "3.0.1", "3.4", "3.9", "3.10.0.2"},
			"migrations-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			files := healthy()
			for path, content := range test.changes {
				files[path] = []byte(content)
			}
			for text, version := range versions {
				findings := checkFiles("tokens", files, version)
				isError := slices.ContainsFunc(findings, func(f checks.Finding) bool {
					return f.Rule == test.rule && f.Severity == checks.Error
				})
				if isError != slices.Contains(test.errors, text) {
					t.Errorf("Kong %q: %q", text, findings)
				}
				if text == "" && checks.Worst(findings) == "" {
					t.Error("nothing is found if the version is not known")
				}
			}
		})
	}
}

func TestParseKongVersion(t *testing.T) {
	for text, want := range map[string]string{
		"3":     `"3" is not a version of Kong; write two numbers or more, for example 3.9`,
		"3.x":   `"3.x" is not a version of Kong; write two numbers or more, for example 3.9`,
		"":      `"" is not a version of Kong; write two numbers or more, for example 3.9`,
		"2.7.1": "the checks have no rules for Kong 2.7.1; the oldest version is 2.8",
	} {
		if _, err := checks.ParseKongVersion(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}

// TestMessages checks the words of findings that need more than a rule.
func TestMessages(t *testing.T) {
	for name, test := range map[string]struct {
		changes change
		want    string
	}{
		"suffix in the list": {change{"migrations/init.lua": "return { \"000_base.lua\" }"},
			`migrations/init.lua:1: the list names "000_base.lua", with the suffix of a file; "kong migrations" fails: ` +
				`"failed to load migration 'kong.plugins.tokens.migrations.000_base.lua'"; write "000_base", without .lua`},
		"dot in the list": {change{"migrations/init.lua": "return { \"1.0\" }", "migrations/1.0.lua": up("SELECT 1")},
			`rename the migration to "1_0", in the list and as file`},
		"migrations in the root": {change{"migrations/init.lua": deleted, "migrations/000_base.lua": deleted,
			"init.lua": "return { \"000_base\" }", "000_base.lua": up("SELECT 1")},
			"the list of migrations is in init.lua, where Kong does not look"},
		"migrations in another case": {change{"migrations/init.lua": deleted, "migrations/000_base.lua": deleted,
			"Migrations/init.lua": "return { \"000_base\" }"},
			"the list of migrations is in Migrations/init.lua, where Kong does not look"},
		"migrations of Kong 0.x": {change{"migrations/init.lua": deleted, "migrations/000_base.lua": deleted,
			"migrations/postgres.lua": "return {}", "migrations/cassandra.lua": "return {}"},
			"the migrations in migrations/cassandra.lua and migrations/postgres.lua have the form before Kong 1.0"},
		"one entity": {change{"daos.lua": "return { name = \"a\", primary_key = { \"id\" }, fields = {} }"},
			"put the entity into a list"},
		"syntax of api.lua": {change{"api.lua": "return {"},
			"api.lua:1: unexpected symbol near '<eof>'; Kong starts, and every request to the Admin API answers 500"},
		"syntax of a lazy module": {change{"lib.lua": "return {", "handler.lua": "local H = { PRIORITY = 1, VERSION = '1' }" +
			" function H:access() require \"kong.plugins.tokens.lib\" end\nreturn H"},
			"requests that need the file answer 500"},
		"syntax of an unused file": {change{"lib.lua": "return {"}, "Kong does not load the file"},
		"DAO class": {change{"daos.lua": "return { { name = \"a\", primary_key = { \"id\" }, fields = {},\n" +
			" dao = \"kong.plugins.tokens.dao\" } }"},
			`daos.lua:2: the plugin has no file for the module "kong.plugins.tokens.dao"`},
		"replacement": {change{"handler.lua": "require \"kong.singletons\"\nreturn { PRIORITY = 1, VERSION = \"1\" }"},
			"use the global variable kong: kong.db, kong.cache, kong.configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for _, finding := range checkChanged("tokens", test.changes) {
				texts = append(texts, finding.String())
			}
			if all := strings.Join(texts, "\n"); !strings.Contains(all, test.want) {
				t.Errorf("(-want +got)\n%s", cmp.Diff(test.want, all))
			}
		})
	}
}

// FuzzCheck checks any handler, schema, entities and migration. The checks must end, and find the same twice.
func FuzzCheck(f *testing.F) {
	seed := healthy()
	f.Add(seed["handler.lua"], seed["schema.lua"], seed["daos.lua"], seed["migrations/init.lua"],
		seed["migrations/000_base.lua"])
	f.Add([]byte("return {"), []byte("return { name = 1, fields = { { { } } } }"), []byte("return { { } }"),
		[]byte("return { 1, nil, {} }"), []byte("return { postgres = { up = [[ DO $a$ /* $a$ ]] } }"))
	f.Add([]byte("return require \"kong.plugins.tokens.handler\""), []byte("local t = {} t.fields = { t } return t"),
		[]byte("local t = {} t[1] = t return t"), []byte("return \"x\""),
		[]byte("return { cassandra = 1, postgres = \"x\" }"))
	f.Fuzz(func(t *testing.T, handler, schema, daos, list, migration []byte) {
		files := map[string][]byte{
			"handler.lua": handler, "schema.lua": schema, "daos.lua": daos,
			"migrations/init.lua": list, "migrations/000_base.lua": migration,
		}
		for _, version := range []checks.KongVersion{{}, {Major: 3, Minor: 9}} {
			first := checkFiles("tokens", files, version)
			if diff := cmp.Diff(findingTexts(first), findingTexts(checkFiles("tokens", files, version))); diff != "" {
				t.Errorf("(-first +second)\n%s", diff)
			}
			for _, finding := range first {
				if finding.Severity == "" || finding.Message == "" || finding.WayOut == "" {
					t.Errorf("incomplete: %+v", finding)
				}
			}
		}
	})
}

func findingTexts(findings []checks.Finding) []string {
	var texts []string
	for _, finding := range findings {
		texts = append(texts, string(finding.Severity)+" "+finding.String())
	}
	return texts
}
