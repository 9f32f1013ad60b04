package contract

import (
	"fmt"
	"maps"
	"path"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/fixtures"
)

const pluginFolder = "kong/plugins/" + fixtures.Plugin

// pluginFiles returns the files of the test plugin.
func pluginFiles(t *testing.T) Files {
	t.Helper()
	contents, err := fixtures.PluginFiles()
	if err != nil {
		t.Fatal(err)
	}
	files := Files{}
	for name, text := range contents {
		files[path.Join(pluginFolder, name)] = string(text)
	}
	return files
}

// without returns the files except those with these paths in the plugin's folder, or in these folders of it.
func (f Files) without(names ...string) Files {
	remaining := maps.Clone(f)
	maps.DeleteFunc(remaining, func(file, _ string) bool {
		for _, name := range names {
			name = path.Join(pluginFolder, name)
			if file == name || strings.HasPrefix(file, name+"/") {
				return true
			}
		}
		return false
	})
	return remaining
}

// with returns the files with another file in the plugin's folder.
func (f Files) with(name, text string) Files {
	files := maps.Clone(f)
	files[path.Join(pluginFolder, name)] = text
	return files
}

// withMigration returns the files with another migration. It does not change the list of migrations.
func (f Files) withMigration(name, text string) Files {
	return f.with("migrations/"+name+".lua", text)
}

// withMigrationList returns the files with another list of migrations.
func (f Files) withMigrationList(names ...string) Files {
	return f.with("migrations/init.lua", migrationList(names...))
}

func migrationList(names ...string) string {
	var text strings.Builder
	text.WriteString("return {\n")
	for _, name := range names {
		fmt.Fprintf(&text, "  %q,\n", name)
	}
	return text.String() + "}\n"
}

// withMigrationsInBothFolders returns the files with copies of the migrations in the plugin's root folder. A flat
// ConfigMap of the whole plugin has this result (fact K8).
func (f Files) withMigrationsInBothFolders() Files {
	files := maps.Clone(f)
	for file, text := range f {
		if folder, name, found := strings.Cut(file, "/migrations/"); found {
			files[path.Join(folder, name)] = text
		}
	}
	return files
}

// upMigration returns a migration with the statements in "up".
func upMigration(statements string) string {
	return "return { postgres = { up = [[" + statements + "]] } }\n"
}

// teardownMigration returns a migration with statements in "teardown". Kong runs them with "migrations finish" (fact
// K11).
func teardownMigration(statements string) string {
	return `return { postgres = { up = "", teardown = function(connector)
  assert(connector:connect_migrations())
  assert(connector:query([[` + statements + `]]))
end } }
`
}
