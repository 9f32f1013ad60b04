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

// TestInjectMatchesTheWebhook runs "kubectl kongdao inject" on the golden cases of package mutate. The pods, warnings
// and denials must be the same as those of the webhook.
func TestInjectMatchesTheWebhook(t *testing.T) {
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
			stdout, stderr, code := invoke(t, input, "inject", "-f", "-", "-n", c.Namespace, "-o", "json", "--migrations=false")
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
				t.Errorf("the result differs from the case, which proves: %s\n(-want +got)\n%s", c.Proves, diff)
			}
		})
	}
}

// checkDenial compares the messages with the case's denials, which have one line each and start with a reason. The
// command can add to a message, because its input has no cluster.
func checkDenial(t *testing.T, c goldens.Case, stdout, stderr string, code int) {
	t.Helper()
	if code == 0 || stdout != "" {
		t.Errorf("got exit %d and the output %q, want a denial", code, stdout)
	}
	for line := range strings.Lines(c.Want.Denial) {
		_, message, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.Contains(stderr, message) {
			t.Errorf("the denials do not contain: %s\ngot:\n%s", message, stderr)
		}
	}
}

// warningsOf returns the texts of warnings such as `warning: stdin:1: Pod "kong/kong": the text`.
func warningsOf(stderr string) []string {
	var warnings []string
	for line := range strings.Lines(stderr) {
		_, text, found := strings.Cut(strings.TrimSpace(line), `": `)
		if found && strings.HasPrefix(line, "warning: ") {
			warnings = append(warnings, text)
		}
	}
	return warnings
}
