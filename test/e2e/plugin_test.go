//go:build e2e

package e2e

import (
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/fixtures"
)

// files holds the files of a release, as contents by path.
type files map[string]string

// Release 1.0.0 has one migration. Release 1.1.0, the fixture, adds a migration with a teardown. Release 1.2.0 adds
// another one with a teardown.
func release100(t *testing.T) files {
	t.Helper()
	changed := files(pluginFiles(t)).version("1.0.0")
	delete(changed, "migrations/001_100_to_110.lua")
	changed["migrations/init.lua"] = `return { "000_base_my_plugin" }`
	return changed
}

func release110(t *testing.T) files {
	t.Helper()
	return pluginFiles(t)
}

func release120(t *testing.T) files {
	t.Helper()
	return release110(t).version("1.2.0").with("002_110_to_120", `return { postgres = {
  up = [[ ALTER TABLE IF EXISTS ONLY "my_plugin_table" ADD COLUMN IF NOT EXISTS "seen" INTEGER; ]],
  teardown = function(connector)
    assert(connector:query([[ UPDATE "my_plugin_table" SET "seen" = 1 WHERE "seen" IS NULL; ]]))
  end,
} }`)
}

// version returns the files with another VERSION in the handler.
func (f files) version(version string) files {
	changed := maps.Clone(f)
	pattern := regexp.MustCompile(`VERSION = "[0-9.]+"`)
	changed["handler.lua"] = pattern.ReplaceAllString(changed["handler.lua"], `VERSION = "`+version+`"`)
	return changed
}

// with returns the files with another migration at the end.
func (f files) with(name, lua string) files {
	changed := maps.Clone(f)
	list := strings.TrimRight(strings.TrimSpace(changed["migrations/init.lua"]), "}")
	changed["migrations/init.lua"] = strings.TrimRight(strings.TrimSpace(list), ",") + `, "` + name + `" }`
	changed["migrations/"+name+".lua"] = lua
	return changed
}

// publish packs the files and applies the ConfigMaps.
func (s space) publish(release files) {
	s.t.Helper()
	s.publishAs(fixtures.Plugin, release)
}

// publishAs is publish for a plugin with another name.
func (s space) publishAs(plugin string, release files) {
	s.t.Helper()
	folder := filepath.Join(s.t.TempDir(), plugin)
	for name, content := range release {
		write(s.t, filepath.Join(folder, name), content)
	}
	s.apply(s.pack(folder))
}
