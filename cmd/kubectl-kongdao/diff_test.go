package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDiffAppliesToItsFile checks that --diff describes what inject prints without it.
func TestDiffAppliesToItsFile(t *testing.T) {
	for _, file := range []string{
		"testdata/inject-styles/input.yaml", "testdata/inject-kinds/input.yaml", "testdata/inject-diff/20-pod.yml",
	} {
		t.Run(file, func(t *testing.T) {
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(before), "kind: ConfigMap") { // the source is in another file
				source, err := os.ReadFile("testdata/inject-diff/10-source.yaml")
				if err != nil {
					t.Fatal(err)
				}
				before = append(source, "---\n"+string(before)...)
			}
			args := []string{"inject", "-f", "-"}
			injected := succeed(t, string(before), args...)
			changes := diff(t, string(before), args...)
			if got := applyDiff(t, string(before), changes); got != injected {
				t.Errorf("the file with the diff applied is not the injected file (-want +got):\n%s", cmp.Diff(injected, got))
			}
		})
	}
}

// applyDiff applies a unified diff of one file. It checks the line numbers and the unchanged lines of each hunk.
func applyDiff(t *testing.T, text, changes string) string {
	t.Helper()
	before, after := strings.Split(text, "\n"), []string(nil)
	done := 0 // the number of lines of before that are copied or removed
	for _, line := range strings.Split(strings.TrimSuffix(changes, "\n"), "\n")[2:] {
		sign, content := line[0], line[1:]
		if sign == '@' {
			var start, length, startAfter, lengthAfter int
			if _, err := fmt.Sscanf(line, "@@ -%d,%d +%d,%d @@", &start, &length, &startAfter, &lengthAfter); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			after = append(after, before[done:start-1]...)
			done = start - 1
			if len(after) != startAfter-1 {
				t.Errorf("%q starts at line %d of the injected file", line, len(after)+1)
			}
			continue
		}
		if sign != '+' {
			if before[done] != content {
				t.Errorf("line %d is %q, but the diff has %q", done+1, before[done], content)
			}
			done++
		}
		if sign != '-' {
			after = append(after, content)
		}
	}
	return strings.Join(append(after, before[done:]...), "\n")
}

func TestLongDiffOfSimilarObjectsRemovesNoLine(t *testing.T) {
	var before, after []string
	for i := range 300 {
		name := fmt.Sprintf("  name: kong-%d", i)
		before = append(before, "- kind: Pod", name, "  labels:", "    app: kong", "  spec:", "    image: kong", "    a: b")
		after = append(after, "- kind: Pod", name, "  labels:", "    app: kong", "    injected: true",
			"  spec:", "    image: kong", "    env:", "    - name: a", "      image: kong", "    a: b")
	}
	changes := compareLines(before, after)
	if len(changes) < 300 {
		t.Errorf("got %d changes, want at least one for each of 300 objects", len(changes))
	}
	for _, change := range changes {
		if change.End > change.Start {
			t.Fatalf("the diff removes %q, want only new lines", before[change.Start:change.End])
		}
	}
}

func TestDiffHasColorsOnlyOnTerminals(t *testing.T) {
	input := succeed(t, "", "pack", fixture) + "---\napiVersion: v1\nkind: Pod\n" +
		"metadata: {name: a, annotations: {kongdao.io/plugins: dao-test}}\nspec: {containers: [{name: proxy, image: kong}]}\n"
	plain := diff(t, input, "inject", "-f", "-")
	if strings.Contains(plain, "\x1b") || !strings.HasPrefix(plain, "--- stdin\n+++ stdin\n@@ -") {
		t.Errorf("want a diff without colors, got %q", plain)
	}
	formatLine := lineFormatter(true)
	for line, want := range map[string]string{
		"+++ a":       "\x1b[1m+++ a\x1b[0m\n",
		"+a":          "\x1b[32m+a\x1b[0m\n",
		"-a":          "\x1b[31m-a\x1b[0m\n",
		"@@ -1 +1 @@": "\x1b[36m@@ -1 +1 @@\x1b[0m\n",
		" a":          " a\n",
	} {
		if got := formatLine(line); got != want {
			t.Errorf("line %q: got %q, want %q", line, got, want)
		}
	}
}
