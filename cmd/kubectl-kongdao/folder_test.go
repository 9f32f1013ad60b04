package main

import (
	"bytes"
	"fmt"
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
		`"lib" is a link to a folder; replace it with the files themselves`,
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

// TestPackFollowsLinkToFolder packs a folder whose name is a link: the user chose it.
func TestPackFollowsLinkToFolder(t *testing.T) {
	absolute, err := filepath.Abs(fixture)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "dao-test")
	if err := os.Symlink(absolute, folder); err != nil {
		t.Fatal(err)
	}
	if packed := succeed(t, "", "pack", folder); !strings.Contains(packed, "\n  handler.lua: |\n") {
		t.Errorf("the ConfigMaps do not contain the files:\n%s", packed)
	}
}

// TestFolderReaderLimitsWhatItReads reads a file that has become larger since its size was read.
func TestFolderReaderLimitsWhatItReads(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "grows"), bytes.Repeat([]byte("x"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	reader := folderReader{root: root, freeBytes: 10}
	content, err := reader.read("grows")
	if err != nil || len(content) != 11 {
		t.Errorf("read %d bytes, error %v; want one more than the 10 that are free", len(content), err)
	}
}

// TestPackLimitsFolder checks the limit of bytes with a sparse file.
func TestPackLimitsFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dao-test")
	if err := os.CopyFS(folder, os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(folder, "large.bin")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFolderBytes); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := invoke(t, "", "pack", folder)
	want := fmt.Sprintf("has more than %d files or %d bytes; name the folder that contains handler.lua",
		maxFolderFiles, maxFolderBytes)
	if code != 1 || !strings.Contains(stderr, want) {
		t.Errorf("got exit %d and\n%s\nwant exit 1 and %s", code, stderr, want)
	}
}
