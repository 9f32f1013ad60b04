package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/lua"
)

// MigrationPath returns the path of a migration without its suffix. Lua reads a dot of the name as a slash (fact K1).
func MigrationPath(name string) string {
	return path.Join(annotations.MigrationsFolder, strings.ReplaceAll(name, ".", "/"))
}

// listFile returns the file with the list of migrations, or "".
func (c *checker) listFile() string {
	for _, file := range []string{MigrationsModule, MigrationsInit} {
		if c.hasFile(file) {
			return file
		}
	}
	return ""
}

func (c *checker) hasFile(file string) bool {
	_, exists := c.Files[file]
	return exists
}

// checkMigrations checks the list of migrations, and the files that it names (facts K2, K5, K6 and K37).
func (c *checker) checkMigrations() {
	file := c.listFile()
	daos, hasDAOs := c.Files[DAOsFile]
	hasEntities := hasDAOs && daos.HasEntities()
	if file == "" {
		c.checkNoList(hasEntities)
		return
	}
	c.visit(file, true)
	summary := c.Files[file]
	if summary == nil || !summary.isRead() {
		return
	}
	c.addAll(file, summary.findings)
	list := summary.List()
	if list == nil || !list.IsKnown {
		if list != nil && list.isOverLimit {
			c.addAll(file, []Finding{{Rule: "migrations-unreadable",
				Message: fmt.Sprintf("the list has more than %d names", maxListed), WayOut: "divide the plugin"}})
		}
		return
	}
	if len(list.Names) == 0 && hasEntities {
		c.addAll(file, []Finding{c.noMigrations("the list of migrations is empty, and daos.lua defines entities")})
	}
	listed := map[string]bool{}
	for i, name := range list.Names {
		migration := c.fileOf(MigrationPath(name))
		listed[migration] = true
		if migration == "" && !c.hasManyErrors() {
			c.addAll(file, []Finding{c.missingMigration(name, list.positions[i])})
		}
		c.visit(migration, true)
		if summary := c.Files[migration]; summary != nil && summary.role == migrationRole {
			c.addAll(migration, summary.findings)
		}
	}
	c.checkUnlisted(listed)
}

// missingMigration is the finding for a listed migration without a file.
func (c *checker) missingMigration(name string, pos lua.Pos) Finding {
	finding := Finding{Rule: "migration-missing",
		Message: fmt.Sprintf("the list names the migration %q, which has no file", name),
		Kong: fmt.Sprintf("%s: \"failed to load migration '%s%s.migrations.%s'\"",
			listFails, pluginPrefix, c.Plugin, name),
		WayOut: fmt.Sprintf("add %s, or remove the name from the list", MigrationPath(name)+LuaSuffix)}
	if stem, hasSuffix := strings.CutSuffix(name, LuaSuffix); hasSuffix {
		finding.Message = fmt.Sprintf("the list names %q, with the suffix of a file", name)
		finding.WayOut = fmt.Sprintf("write %q, without .lua", stem)
	} else if c.hasFile(path.Join(annotations.MigrationsFolder, name+LuaSuffix)) && strings.Contains(name, ".") {
		renamed := strings.ReplaceAll(name, ".", "_")
		finding.Message = fmt.Sprintf("the name %q has a dot, which Lua reads as a slash", name)
		finding.WayOut = fmt.Sprintf("rename the migration to %q, in the list and as file", renamed)
	}
	return finding.at(pos)
}

// noMigrations is the finding for entities without migrations.
func (c *checker) noMigrations(message string) Finding {
	return Finding{Rule: "migrations-missing", Message: message,
		Kong:   "Kong starts, and every request that uses the entities answers 500: \"relation ... does not exist\"",
		WayOut: "add migrations/init.lua and the migrations that create the tables of the entities"}
}

// checkNoList checks a plugin without a list of migrations.
func (c *checker) checkNoList(hasEntities bool) {
	if wrong := c.misplacedList(); wrong != "" && hasEntities {
		finding := c.noMigrations(fmt.Sprintf("the list of migrations is in %s, where Kong does not look", wrong))
		finding.WayOut = "move the list and its migrations to the directory migrations"
		c.add(finding)
		return
	}
	old := c.oldMigrations()
	switch {
	case len(old) > 0 && hasEntities:
		finding := c.noMigrations("the migrations in " + strings.Join(old, " and ") + " have the form before Kong 1.0")
		finding.Rule = "migrations-legacy"
		finding.WayOut = "write each migration into a separate file, and list them in migrations/init.lua"
		c.add(finding)
	case hasEntities:
		c.add(c.noMigrations("daos.lua defines entities, and the plugin has no migrations/init.lua"))
	default:
		if unlisted := c.filesIn(annotations.MigrationsFolder); len(unlisted) > 0 {
			c.add(Finding{Rule: "migration-unlisted", File: unlisted[0],
				Message: "the plugin has no migrations/init.lua, so Kong runs none of its migrations",
				WayOut:  "add migrations/init.lua with the list of migrations"})
		}
	}
}

// misplacedList returns a list of migrations in a place where Kong does not look: another directory, or the plugin's
// root.
func (c *checker) misplacedList() string {
	for _, file := range c.sortedFiles() {
		folder, name := path.Split(file)
		isOtherCase := strings.EqualFold(strings.TrimSuffix(folder, "/"), annotations.MigrationsFolder)
		isList := c.Files[file].List() != nil && len(c.Files[file].List().Names) > 0
		if name == InitFile && (isOtherCase || folder == "" && isList) {
			return file
		}
	}
	return ""
}

// oldMigrations returns the files of migrations before Kong 1.0, one per database.
func (c *checker) oldMigrations() []string {
	var old []string
	for _, file := range []string{"migrations/cassandra.lua", "migrations/postgres.lua"} {
		if c.hasFile(file) {
			old = append(old, file)
		}
	}
	return old
}

// checkUnlisted finds migrations that no list names, so that Kong never runs them.
func (c *checker) checkUnlisted(listed map[string]bool) {
	for _, file := range c.filesIn(annotations.MigrationsFolder) {
		if listed[file] || file == MigrationsInit || c.visited[file] || c.uncertain[file] {
			continue
		}
		c.add(Finding{Rule: "migration-unlisted", File: file, Message: "no list names this migration, so Kong never runs it",
			WayOut: fmt.Sprintf("add its name to %s, or delete it", c.listFile())})
	}
}

// filesIn returns the Lua files in a directory, and in the directories inside.
func (c *checker) filesIn(folder string) []string {
	var files []string
	for _, file := range c.sortedFiles() {
		stem := strings.TrimSuffix(file, LuaSuffix)
		if strings.HasPrefix(file, folder+"/") && stem != file && !strings.Contains(stem, ".") {
			files = append(files, file)
		}
	}
	return files
}

func (c *checker) sortedFiles() []string {
	files := make([]string, 0, len(c.Files))
	for file := range c.Files {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}
