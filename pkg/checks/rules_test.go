package checks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/checks"
)

// healthy returns the files of a plugin without findings.
func healthy() map[string][]byte {
	return map[string][]byte{
		"handler.lua": []byte("local H = { PRIORITY = 1000, VERSION = \"1.0.0\" }\nfunction H:access() end\nreturn H\n"),
		"schema.lua":  []byte(schemaWith(`{ a = { type = "string", default = "x" } }`)),
		"daos.lua": []byte("return { { name = \"tokens\", primary_key = { \"id\" },\n" +
			"  fields = { { id = { type = \"string\", uuid = true } } } } }\n"),
		"migrations/init.lua":     []byte("return { \"000_base\" }\n"),
		"migrations/000_base.lua": []byte(up("CREATE TABLE IF NOT EXISTS tokens (id UUID);")),
	}
}

func schemaWith(fields string) string {
	return `return { name = "tokens", fields = { { config = { type = "record", fields = { ` + fields + ` } } } } }`
}

func up(sql string) string { return "return { postgres = { up = [[ " + sql + " ]] } }" }

// deleted stands for a file that the plugin does not have.
const deleted = "\x00deleted"

// change is a file and its content.
type change = map[string]string

// ruleTest is a file in testdata/rules. It changes the healthy plugin so that it breaks a rule, and so that it almost
// breaks it.
type ruleTest struct {
	// place is where the rule is broken: the beginning of "handler.lua:1".
	place string
	// plugin is the name of the plugin. The default is "tokens".
	plugin         string
	broken, almost change
}

// readRuleTest reads a file. In the contents, \0 stands for a null byte.
func readRuleTest(t *testing.T, path string) ruleTest {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	test := ruleTest{plugin: "tokens", broken: change{}, almost: change{}}
	changes := map[string]change{"broken": test.broken, "almost": test.almost}
	var current change
	file := ""
	for line := range strings.Lines(string(text)) {
		value := strings.TrimSpace(line[strings.Index(line, ":")+1:])
		header, isHeader := strings.CutPrefix(line, "-- ")
		switch {
		case isHeader && strings.HasSuffix(line, " --\n"):
			kind, rest, _ := strings.Cut(header, "/")
			current = changes[kind]
			var content string
			if file, content, _ = strings.Cut(rest, " "); strings.HasPrefix(content, "deleted") {
				content = deleted
			} else {
				content = ""
			}
			current[file] = content
		case current != nil:
			current[file] += strings.ReplaceAll(line, `\0`, "\x00")
		case strings.HasPrefix(line, "place:"):
			test.place = value
		case strings.HasPrefix(line, "plugin:"):
			test.plugin = value
		}
	}
	return test
}

// TestRules breaks each rule, and almost breaks it.
func TestRules(t *testing.T) {
	names := func(count int) string { return "return { " + strings.Repeat("\"000_base\",\n", count) + "}" }
	tests := map[string]ruleTest{
		"migrations-unreadable": {
			place: "migrations/init.lua", plugin: "tokens",
			broken: change{"migrations/init.lua": names(1001)}, almost: change{"migrations/init.lua": names(1000)},
		},
	}
	paths, err := filepath.Glob("testdata/rules/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		tests[strings.TrimSuffix(filepath.Base(path), ".txt")] = readRuleTest(t, path)
	}
	for _, rule := range checks.Rules() {
		if _, exists := tests[rule.ID]; !exists {
			t.Errorf("no test breaks the rule %s", rule.ID)
		}
	}
	for id, test := range tests {
		t.Run(id, func(t *testing.T) {
			findings := checkChanged(test.plugin, test.broken)
			isBroken := func(f checks.Finding) bool { return f.Rule == id }
			at := slices.IndexFunc(findings, isBroken)
			if at < 0 || !strings.HasPrefix(findings[at].Place(), test.place) {
				t.Errorf("not found at %q; findings: %q", test.place, findings)
			} else if finding := findings[at]; finding.Severity == "" || finding.WayOut == "" ||
				finding.Severity == checks.Error && finding.Kong == "" {
				t.Errorf("incomplete: %+v", finding)
			}
			if almost := checkChanged("tokens", test.almost); slices.ContainsFunc(almost, isBroken) {
				t.Errorf("found although it is only almost broken: %q", almost)
			}
		})
	}
}

// checkChanged checks the healthy plugin with changes.
func checkChanged(plugin string, changes change) []checks.Finding {
	files := healthy()
	for path, content := range changes {
		files[path] = []byte(content)
		if content == deleted {
			delete(files, path)
		}
	}
	return checkFiles(plugin, files, checks.KongVersion{Major: 3, Minor: 9})
}

// TestHealthy checks that the plugin of TestRules has no findings.
func TestHealthy(t *testing.T) {
	if findings := checkChanged("tokens", nil); len(findings) > 0 {
		t.Errorf("findings: %q", findings)
	}
}
