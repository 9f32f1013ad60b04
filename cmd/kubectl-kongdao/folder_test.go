package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackFollowsLinksToFiles packs a folder as Kubernetes mounts it, with links to files. Links to folders and to
// missing files are problems.
func TestPackFollowsLinksToFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dao-test")
	if err := os.CopyFS(filepath.Join(folder, "..data"), os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"handler.lua": "..data/handler.lua",
		"schema.lua":  "..data/schema.lua",
		"lib":         "..data/migrations",
		"gone.lua":    "..data/gone.lua",
	} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr, code := invoke(t, "", "pack", folder)
	for _, want := range []string{
		`"lib" is a link to a folder, or a special file; replace it with the files themselves`,
		`"gone.lua" is a link to a file that does not exist; create the file, or remove the link`,
	} {
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("got exit %d, want exit 1 and %s in\n%s", code, want, stderr)
		}
	}
	for _, link := range []string{"lib", "gone.lua"} {
		if err := os.Remove(filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	if packed := succeed(t, "", "pack", folder); !strings.Contains(packed, "\n  handler.lua: |\n") {
		t.Errorf("the ConfigMaps do not contain the linked files:\n%s", packed)
	}
}
