package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInjectReadsTheManifestsOfAFolderInOrder(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"b.yaml":       "kind: B\n",
		"a.yml":        "kind: A\n",
		"c.json":       `{"kind":"C"}`,
		"d.txt":        "kind: D\n",
		"bases/e.yaml": "kind: E\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := "kind: A\n---\nkind: B\n---\n{\"kind\":\"C\"}"
	if diff := cmp.Diff(want, succeed(t, "", "inject", "-f", folder)); diff != "" {
		t.Errorf("-f DIR (-want +got):\n%s", diff)
	}
	want = "kind: A\n---\nkind: B\n---\nkind: E\n---\n{\"kind\":\"C\"}"
	if diff := cmp.Diff(want, succeed(t, "", "inject", "-R", "-f", folder)); diff != "" {
		t.Errorf("-R -f DIR (-want +got):\n%s", diff)
	}
}
