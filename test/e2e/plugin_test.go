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

// files are those of a release of the plugin, by path.
type files map[string]string

// The releases: 1.0.0 has a base migration alone, 1.1.0, the fixture itself, one
// more that has a teardown, and 1.2.0 a third, with one too.
func release100(t *testing.T) files {
	t.Helper()
	made := files(pluginFiles(t)).version("1.0.0")
	delete(made, "migrations/001_100_to_110.lua")
	made["migrations/init.lua"] = `return { "000_base_my_plugin" }`
	return made
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

// version is the files with another VERSION in the handler.
func (f files) version(version string) files {
	made := maps.Clone(f)
	made["handler.lua"] = regexp.MustCompile(`VERSION = "[0-9.]+"`).ReplaceAllString(made["handler.lua"], `VERSION = "`+version+`"`)
	return made
}

// with is the files with one more migration at the end.
func (f files) with(name, lua string) files {
	made := maps.Clone(f)
	list := strings.TrimRight(strings.TrimSpace(made["migrations/init.lua"]), "}")
	made["migrations/init.lua"] = strings.TrimRight(strings.TrimSpace(list), ",") + `, "` + name + `" }`
	made["migrations/"+name+".lua"] = lua
	return made
}

// publish packs the files and applies what comes out.
func (s space) publish(release files) {
	s.t.Helper()
	s.publishAs(fixtures.Plugin, release)
}

// publishAs is publish for a plugin of another name.
func (s space) publishAs(plugin string, release files) {
	s.t.Helper()
	folder := filepath.Join(s.t.TempDir(), plugin)
	for name, content := range release {
		write(s.t, filepath.Join(folder, name), content)
	}
	s.apply(s.pack(folder))
}
