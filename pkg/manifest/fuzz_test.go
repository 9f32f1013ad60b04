package manifest

import (
	"bytes"
	"testing"
)

// FuzzInject holds what must hold of any input: it is denied, or written so
// that injecting again changes nothing; documents that did not change are the
// same bytes.
func FuzzInject(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {annotations: {kongdao.io/plugins: p}}\nspec:\n  containers:\n  - {name: a, image: kong}\n"))
	source := []byte("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: p, labels: {kongdao.io/plugin: p}}\ndata:\n" +
		"  handler.lua: return {}\n  schema.lua: return {}\n  daos.lua: return {}\n  init.lua: return { '000' }\n  '000.lua': return {}\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		once, changed := inject(t, append(text, source...))
		if once == nil {
			return
		}
		if !changed && !bytes.HasPrefix(once, bytes.TrimRight(text, "\n")) {
			t.Errorf("nothing changed, and yet %q became %q", text, once)
		}
		twice, again := inject(t, once)
		if again || !bytes.Equal(once, twice) {
			t.Errorf("injecting again (%v) makes\n%s\nof\n%s", again, twice, once)
		}
	})
}

// inject yields the input injected, nil for a denied one, and whether
// anything changed.
func inject(t *testing.T, text []byte) (written []byte, changed bool) {
	t.Helper()
	documents, err := Read("input", bytes.Clone(text))
	if err != nil {
		return nil, false
	}
	if result := Inject(documents, nil, "default"); len(result.Denials) > 0 {
		return nil, false
	}
	for _, document := range documents {
		changed = changed || document.Changed()
	}
	if written, err = WriteYAML(documents); err != nil {
		return nil, false // it says so, and prints nothing
	}
	if _, err := WriteJSON(documents); err != nil {
		return nil, false
	}
	return written, changed
}
