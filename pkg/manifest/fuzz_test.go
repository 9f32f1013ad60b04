package manifest

import (
	"bytes"
	"testing"
)

// FuzzInject checks properties that hold for any input. The input is denied, or a second injection changes nothing.
// Documents that do not change keep their bytes.
func FuzzInject(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {annotations: {kongdao.io/plugins: p}}\n" +
		"spec:\n  containers:\n  - {name: a, image: kong}\n"))
	source := []byte("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: p, labels: {kongdao.io/plugin: p}}\ndata:\n" +
		"  handler.lua: return {}\n  schema.lua: return {}\n  daos.lua: return {}\n" +
		"  init.lua: return { '000' }\n  '000.lua': return {}\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		once, changed := inject(append(text, source...))
		if once == nil {
			return
		}
		if !changed && !bytes.HasPrefix(once, bytes.TrimRight(text, "\n")) {
			t.Errorf("no document changed, but %q became %q", text, once)
		}
		twice, changedAgain := inject(once)
		if changedAgain || !bytes.Equal(once, twice) {
			t.Errorf("the second injection (changed: %v) makes\n%s\nof\n%s", changedAgain, twice, once)
		}
	})
}

// inject returns the injected input and whether a document changed. It returns nil for an input that is denied or that
// cannot be written.
func inject(text []byte) (written []byte, changed bool) {
	documents, err := Read("input", bytes.Clone(text))
	if err != nil {
		return nil, false
	}
	if result := Inject(documents, nil, Settings{Namespace: "default"}); len(result.Denials) > 0 {
		return nil, false
	}
	for _, document := range documents {
		changed = changed || document.Changed()
	}
	if written, err = WriteYAML(documents); err != nil {
		return nil, false
	}
	if _, err := WriteJSON(documents); err != nil {
		return nil, false
	}
	return written, changed
}
