package goldens

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4" // the API server uses this package, too
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/denial"
)

// Apply applies a JSON patch to an object in JSON, as the API server does. The operations can be any value that
// marshals to a JSON patch.
func Apply(t testing.TB, object []byte, operations any) []byte {
	t.Helper()
	text, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) == "null" {
		return object
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	patched, err := patch.Apply(object)
	if err != nil {
		t.Fatalf("%v\npatch:  %s\nobject: %s", err, text, object)
	}
	return patched
}

// Injected returns the outcome for an injected pod in JSON.
func Injected(t testing.TB, pod []byte, warnings []string) Outcome {
	t.Helper()
	text, err := yaml.JSONToYAML(pod)
	if err != nil {
		t.Fatal(err)
	}
	return Outcome{Pod: string(text), Warnings: sortedLines(warnings)}
}

// Denied returns the outcome for a denied pod.
func Denied(denials denial.List) Outcome {
	var messages []string
	for _, denied := range denials.Sorted() {
		messages = append(messages, string(denied.Reason)+": "+denied.Message)
	}
	return Outcome{Denial: sortedLines(messages)}
}

// sortedLines returns the messages as sorted lines.
func sortedLines(messages []string) string {
	if len(messages) == 0 {
		return ""
	}
	return strings.Join(slices.Sorted(slices.Values(messages)), "\n") + "\n"
}

// Update replaces the expected result in the files of the case.
func (c Case) Update(t testing.TB, got Outcome) {
	t.Helper()
	for name, text := range map[string]string{wantFile: got.Pod, warningsFile: got.Warnings, denialFile: got.Denial} {
		path := filepath.Join(c.Dir, name)
		var err error
		if text == "" {
			err = os.RemoveAll(path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
