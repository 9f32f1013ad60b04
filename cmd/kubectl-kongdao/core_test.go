package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/goldens"
)

// TestCoreGoldens proves that "kubectl kongdao inject" comes to the same as the
// webhook, on every case of the core: its pods, its warnings, its denials.
func TestCoreGoldens(t *testing.T) {
	for _, c := range goldens.Cases(t, filepath.Join("..", "..", "pkg", "mutate", "testdata")) {
		t.Run(c.Name, func(t *testing.T) {
			input := string(c.Pod)
			for _, source := range c.Sources {
				text, err := yaml.Marshal(source)
				if err != nil {
					t.Fatal(err)
				}
				input += "\n---\napiVersion: v1\nkind: ConfigMap\n" + string(text)
			}
			stdout, stderr, code := invoke(t, input, "inject", "-f", "-", "-n", c.Namespace, "-o", "json")
			if c.Want.Denial != "" {
				checkDenial(t, c, stdout, stderr, code)
				return
			}
			if code != 0 {
				t.Fatalf("denied: %s", stderr)
			}
			var list struct{ Items []json.RawMessage }
			if err := json.Unmarshal([]byte(stdout), &list); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Want, goldens.Injected(t, list.Items[0], warningsOf(stderr))); diff != "" {
				t.Errorf("not what the case wants, which proves: %s\n(-want +got)\n%s", c.Proves, diff)
			}
		})
	}
}

// checkDenial holds the messages against the case's, a line each, which begin
// with a reason. What to do about a missing source may be said in more words
// here, for there is no cluster that could hold it.
func checkDenial(t *testing.T, c goldens.Case, stdout, stderr string, code int) {
	t.Helper()
	if code == 0 || stdout != "" {
		t.Errorf("exit %d with output %q, where the case is denied", code, stdout)
	}
	for line := range strings.Lines(c.Want.Denial) {
		_, message, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.Contains(stderr, message) {
			t.Errorf("not among the denials: %s\ngot:\n%s", message, stderr)
		}
	}
}

// warningsOf takes the sentences out of lines such as
// `warning: <stdin>:1: Pod "kong/kong": the sentence`.
func warningsOf(stderr string) []string {
	var sentences []string
	for line := range strings.Lines(stderr) {
		_, sentence, found := strings.Cut(strings.TrimSpace(line), `": `)
		if found && strings.HasPrefix(line, "warning: ") {
			sentences = append(sentences, sentence)
		}
	}
	return sentences
}
