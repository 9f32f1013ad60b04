package yamledit

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

// FuzzEdit applies an operation to each document of a file. It checks properties that hold for any input: unchanged
// documents keep their bytes, and the result has the values of the changed trees.
func FuzzEdit(f *testing.F) {
	f.Add([]byte("a:\n  b: 1\n\n# next\nc: [x, {y: z}]\n---\n- d\n"), "add", "/a/d", `{"e":["f"]}`)
	f.Add([]byte("- |+\n  x\n\n- &y 'z' # why\n"), "add", "/0", "---\n#")
	f.Add([]byte("%YAML 1.2\n--- # start\na:\n  ? b\n  : c\n...\n"), "replace", "/a/b", "x")
	f.Fuzz(func(t *testing.T, text []byte, op, path, value string) {
		if len(text) > 64<<10 {
			return
		}
		documents, malformed := Read("input", bytes.Clone(text))
		if len(malformed) > 0 {
			return
		}
		if joined, err := Join(documents); err != nil || !bytes.Equal(joined, text) {
			t.Fatalf("without a change, %q becomes %q (error %v)", text, joined, err)
		}
		operation := Operation{Op: op, Path: path, Value: value}
		if json.Valid([]byte(value)) {
			operation.Value = json.RawMessage(value)
		}
		for _, document := range documents {
			err := document.Apply(operation)
			rendered, renderErr := document.Render()
			if err != nil && (document.Changed() || renderErr != nil || !bytes.Equal(rendered, document.Original())) {
				t.Errorf("after the failed operation %v, %q becomes %q", operation, document.Original(), rendered)
			}
		}
		joined, err := Join(documents)
		if err != nil {
			return // Join reports a document that it cannot write
		}
		again, malformed := Read("output", joined)
		if len(malformed) > 0 {
			t.Fatalf("after %v, %q becomes malformed: %v\n%q", operation, text, malformed, joined)
		}
		if want, got := values(documents), values(again); !slices.Equal(want, got) {
			t.Errorf("after %v, %q becomes %q\nwith the values %q\nwant            %q", operation, text, joined, got, want)
		}
	})
}

// values returns the documents' values as JSON. It leaves out documents that have no value or no JSON form.
func values(documents []*Document) []string {
	var texts []string
	for _, document := range documents {
		if document.Root() == nil {
			continue
		}
		if text, err := AppendJSON(nil, document.Root()); err == nil {
			texts = append(texts, string(text))
		}
	}
	return texts
}
