package goldens

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4" // the one that the API server applies patches with
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/denial"
)

// Apply applies patch operations, anything that marshals to a JSON patch, to
// the JSON of an object, as the API server does.
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

// Injected is the outcome for a pod that was given what it asks for.
func Injected(t testing.TB, pod []byte, warnings []string) Outcome {
	t.Helper()
	text, err := yaml.JSONToYAML(pod)
	if err != nil {
		t.Fatal(err)
	}
	return Outcome{Pod: string(text), Warnings: lines(warnings)}
}

// Denied is the outcome for a pod that was given nothing.
func Denied(denials denial.List) Outcome {
	var sentences []string
	for _, denied := range denials.Sorted() {
		sentences = append(sentences, string(denied.Reason)+": "+denied.Message)
	}
	return Outcome{Denial: lines(sentences)}
}

func lines(sentences []string) string {
	if len(sentences) == 0 {
		return ""
	}
	return strings.Join(slices.Sorted(slices.Values(sentences)), "\n") + "\n"
}

// Update makes got what the case wants from now on.
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
