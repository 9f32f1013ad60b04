package checks

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/luaeval"
)

// missing reports a missing file. Kong does not start without it (fact K7).
func (c *checker) missing(rule, file, said string) {
	if _, exists := c.Files[file]; exists {
		return
	}
	c.add(Finding{
		Rule: rule, Message: "the plugin has no " + file, Kong: notStarting + ": " + said, WayOut: "add " + file,
	})
}

// checkName checks the plugin's name (fact K1: Lua reads a dot in a module's name as a slash).
func (c *checker) checkName() {
	if strings.Contains(c.Plugin, ".") {
		c.add(Finding{Rule: "plugin-name", Message: fmt.Sprintf("the plugin's name %q has a dot", c.Plugin),
			Kong:   fmt.Sprintf("%s: \"%s plugin is enabled but not installed\"", notStarting, c.Plugin),
			WayOut: "rename the directory, or pack with --name"})
	}
}

func (c *checker) checkHandler() {
	c.missing("handler-missing", HandlerFile, fmt.Sprintf(`"%s plugin is enabled but not installed"`, c.Plugin))
	c.visit(HandlerFile, true)
	if summary := c.Files[HandlerFile]; summary != nil && summary.isRead() {
		c.addAll(HandlerFile, checkHandler(summary.value, c.resolve))
		if version := c.resolve(summary.Version()); version.Kind != luaeval.String && version.Kind != luaeval.Nil {
			c.addAll(HandlerFile, []Finding{Finding{Rule: "handler-version-computed",
				Message: "VERSION cannot be read without running the code",
				WayOut:  `pack with --version, or write VERSION = "1.0.0"`}.at(version.Pos)})
		}
	}
}

// isRead reports whether the checks know what the file returns.
func (s *Summary) isRead() bool { return s.loadError == nil && !s.isUnread }

func (c *checker) checkSchema() {
	c.missing("schema-missing", SchemaFile, fmt.Sprintf(`"no configuration schema found for plugin: %s"`, c.Plugin))
	c.visit(SchemaFile, true)
	summary := c.Files[SchemaFile]
	if summary == nil || !summary.isRead() {
		return
	}
	c.addAll(SchemaFile, summary.findings)
	if name := summary.value; name.Kind == luaeval.String && name.Text != c.Plugin {
		c.addAll(SchemaFile, []Finding{Finding{Rule: "schema-other-name",
			Message: fmt.Sprintf("the schema has the name %q, and the plugin has the name %q", name.Text, c.Plugin),
			WayOut:  fmt.Sprintf("pack with --name %s, or correct the name", name.Text)}.at(name.Pos)})
	}
}

func (c *checker) checkDAOs() {
	summary := c.Files[DAOsFile]
	if summary == nil {
		return
	}
	c.visit(DAOsFile, true)
	if !summary.isRead() {
		return
	}
	c.addAll(DAOsFile, summary.findings)
	for _, entity := range summary.entities {
		if entity.class != "" {
			required := luaeval.Required{Module: entity.class, Pos: entity.classPos, IsCertain: true}
			c.checkRequired(DAOsFile, required, true)
			if own, isOwn := c.ownModule(entity.class); isOwn {
				c.visit(c.fileOf(own), true)
			}
		}
		// Kong loads the entity's strategy if it exists.
		c.visit(path.Join("strategies", "postgres", entity.name)+LuaSuffix, true)
	}
}

// checkRest notes files that Kong never loads and cannot read.
func (c *checker) checkRest() {
	for _, file := range slices.Sorted(maps.Keys(c.Files)) {
		summary := c.Files[file]
		if summary == nil || summary.loadError == nil || c.visited[file] || c.uncertain[file] {
			continue
		}
		finding := *summary.loadError
		finding.File, finding.maxSeverity, finding.Kong = file, Note, "Kong does not load the file"
		c.add(finding)
	}
}
