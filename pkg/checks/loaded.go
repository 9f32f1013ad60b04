package checks

import (
	"maps"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/luaeval"
)

// Version returns the VERSION of the release's handler. It returns false if only Lua can compute it, or if there is
// none. If other code could change the VERSION, the one in the file counts.
func (r Release) Version() (string, bool) {
	c := newChecker(r)
	version := c.resolve(r.Files[HandlerFile].Version())
	return version.Text, version.Kind == luaeval.String && !version.IsCut
}

// LacksVersion reports whether the handler certainly has no VERSION that Kong takes.
func (r Release) LacksVersion() bool {
	return slices.ContainsFunc(Check(r), func(f Finding) bool { return f.Rule == "handler-version" })
}

// Loaded returns the files that Kong can load, sorted: the files with a role, and the modules that they require.
func (r Release) Loaded() []string {
	c := newChecker(r)
	c.findAll()
	maps.Copy(c.visited, c.uncertain)
	if list := c.Files[c.listFile()].List(); list != nil && !list.IsKnown {
		for _, file := range c.filesIn(annotations.MigrationsFolder) {
			c.visited[file] = true // only Lua knows which ones the list names
		}
	}
	return slices.Sorted(maps.Keys(c.visited))
}
