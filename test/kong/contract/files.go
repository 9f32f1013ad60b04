package contract

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const pluginFolder = "kong/plugins/dao-test"

// plugin is the plugin dao-test of the tests' fixtures.
func plugin(t *testing.T) Files {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := os.DirFS(filepath.Join(filepath.Dir(file), "../../fixtures/plugins/dao-test"))
	files := Files{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		files[path.Join(pluginFolder, name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// without leaves out the files, or folders, of the plugin.
func (f Files) without(names ...string) Files {
	left := Files{}
	for file, text := range f {
		keep := true
		for _, name := range names {
			name = path.Join(pluginFolder, name)
			keep = keep && file != name && !strings.HasPrefix(file, name+"/")
		}
		if keep {
			left[file] = text
		}
	}
	return left
}

// with has another file in the plugin, or another text in one.
func (f Files) with(name, text string) Files {
	more := maps.Clone(f)
	more[path.Join(pluginFolder, name)] = text
	return more
}

// lists has another list of migrations.
func (f Files) lists(names ...string) Files {
	return f.with("migrations/init.lua", list(names...))
}

func list(names ...string) string {
	var text strings.Builder
	text.WriteString("return {\n")
	for _, name := range names {
		fmt.Fprintf(&text, "  %q,\n", name)
	}
	return text.String() + "}\n"
}

// flat has the files of migrations beside the others as well, as a ConfigMap
// of the whole plugin gives (K8).
func (f Files) flat() Files {
	more := maps.Clone(f)
	for file, text := range f {
		if before, name, found := strings.Cut(file, "/migrations/"); found {
			more[path.Join(before, name)] = text
		}
	}
	return more
}

// up is a migration of SQL alone.
func up(sql string) string {
	return "return { postgres = { up = [[" + sql + "]] } }\n"
}

// upAndTeardown is one of two phases (K11).
func upAndTeardown(sql, teardown string) string {
	return "return { postgres = { up = [[" + sql + "]], teardown = function(connector)\n" +
		"  assert(connector:connect_migrations())\n  assert(connector:query([[" + teardown + "]]))\nend } }\n"
}
