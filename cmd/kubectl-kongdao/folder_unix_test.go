//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPackReadsOnlyTheFolder checks that pack rejects everything that is not a file inside the folder. A link to
// /proc/self/environ was packed, with the secrets of the person who packs.
func TestPackReadsOnlyTheFolder(t *testing.T) {
	const outside = "replace it with a copy of the file, or remove it"
	link := func(target string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		create func(t *testing.T, path string)
		want   string
		reason string
	}{
		"process environment": {
			link("/proc/self/environ"), `"x.lua" is a link to "/proc/self/environ", which is not in the folder; ` + outside,
			"a file of size 0 with secrets",
		},
		"parent folder": {
			link("../secret"), `"x.lua" is a link to "../secret", which is not in the folder; ` + outside, "",
		},
		"absolute path into the folder": {
			func(t *testing.T, path string) { link(filepath.Join(filepath.Dir(path), "handler.lua"))(t, path) },
			`which is not in the folder; ` + outside,
			"it does not work on another machine",
		},
		"link to a link": {
			func(t *testing.T, path string) {
				link("y.lua")(t, path)
				link("../secret")(t, filepath.Join(filepath.Dir(path), "y.lua"))
			}, `"x.lua" is a link to "y.lua", which is not in the folder; ` + outside, "the last target counts",
		},
		"folder outside": {
			link("/proc/self"), `"x.lua" is a link to "/proc/self", which is not in the folder; ` + outside, "",
		},
		"loop": {
			link("x.lua"), `"x.lua" is a link to "x.lua", which leads back to the link; replace it with the file itself`, "",
		},
		"named pipe": {
			func(t *testing.T, path string) {
				if err := syscall.Mkfifo(path, 0o600); err != nil {
					t.Fatal(err)
				}
			}, `"x.lua" is a named pipe; replace it with the files themselves`,
			"opening a pipe waits for a writer",
		},
		"socket": {
			func(t *testing.T, path string) {
				listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = listener.Close() })
			}, `"x.lua" is a socket; replace it with the files themselves`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent, err := os.MkdirTemp("", "pack") // a socket's path is short
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.RemoveAll(parent) }()
			folder := filepath.Join(parent, "dao-test")
			if err := os.CopyFS(folder, os.DirFS(fixture)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(parent, "secret"), []byte("SECRET"), 0o600); err != nil {
				t.Fatal(err)
			}
			test.create(t, filepath.Join(folder, "x.lua"))
			stdout, stderr, code := invoke(t, "", "pack", folder)
			if code != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("%s: got exit %d and\n%s\nwant exit 1 and %s", test.reason, code, stderr, test.want)
			}
		})
	}
}

// TestFolderReaderDoesNotWait opens a pipe that has replaced a file after the check of its kind.
func TestFolderReaderDoesNotWait(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	result := make(chan error, 1)
	go func() {
		reader := folderReader{root: root, freeBytes: 10}
		content, err := reader.read("pipe")
		result <- fmt.Errorf("read %q: %w", content, err)
	}()
	select {
	case err := <-result:
		if !strings.Contains(err.Error(), "changed while it was read") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the reader waits for a writer")
	}
}
