package checks

import "slices"

// Rule is one thing that the checks look for.
type Rule struct {
	// ID is stable. It names the rule in outputs and options.
	ID       string
	Severity Severity
	// Title says what must be so, in one sentence.
	Title string
	// Reason says what happens otherwise.
	Reason string
	// Example breaks the rule.
	Example string

	// versions are the versions of Kong that have the problem.
	versions versions
}

// rulesAboutMissingFiles are the rules whose breach another file can solve.
var rulesAboutMissingFiles = []string{
	"handler-missing", "schema-missing", "migrations-missing", "migrations-legacy", "migration-missing",
	"migration-unlisted", "module-missing", "module-relative", "module-other-plugin",
}

// IsAboutMissingFiles reports whether another file can solve a breach of a rule. The file may be in a ConfigMap that
// does not exist yet.
func IsAboutMissingFiles(rule string) bool { return slices.Contains(rulesAboutMissingFiles, rule) }

// KongVersions says which versions of Kong have the problem: "all versions", "3.0 and newer".
func (r Rule) KongVersions() string { return r.versions.String() }

// Group is a set of rules about one thing.
type Group struct {
	Title string
	Rules []Rule
}

// Groups returns all rules by what they are about.
func Groups() []Group {
	return []Group{
		{"Files", fileRules()}, {"Handler", handlerRules()}, {"Schema", schemaRules()}, {"Entities", entityRules()},
		{"Migrations", migrationRules()}, {"SQL of migrations", sqlRules()}, {"Modules", moduleRules()},
	}
}

// Rules returns all rules.
func Rules() []Rule {
	var rules []Rule
	for _, group := range Groups() {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// since3 returns the versions from 3.minor on.
func since3(minor int) versions { return versions{since: KongVersion{3, minor}} }

func fileRules() []Rule {
	return []Rule{
		{ID: "plugin-name", Severity: Error, Title: "The plugin's name has no dot.", Reason: "Kong does not start."},
		{ID: "lua-syntax", Severity: Error, Title: "LuaJIT can read every file that Kong loads.",
			Reason: "Kong does not start. For `api.lua`, every request to the Admin API answers 500. A file that Kong loads " +
				"later is a warning, and a file that it never loads is a note.",
			Example: "local size = 1 << 4 -- an operator of Lua 5.3"},
		{ID: "handler-missing", Severity: Error, Title: "The plugin has a `handler.lua`.", Reason: "Kong does not start."},
		{ID: "schema-missing", Severity: Error, Title: "The plugin has a `schema.lua`.", Reason: "Kong does not start."},
		{ID: "api-table", Severity: Error, Title: "`api.lua` returns a table.",
			Reason: "Kong starts, and every request to the Admin API answers 500.", Example: "local routes = {} -- no return"},
	}
}

func handlerRules() []Rule {
	return []Rule{
		{ID: "handler-table", Severity: Error, Title: "`handler.lua` returns a table.", Reason: "Kong does not start.",
			Example: "local H = { PRIORITY = 1000, VERSION = \"1.0.0\" } -- no return"},
		{ID: "handler-priority", Severity: Error, versions: since3(0), Title: "`PRIORITY` is an integer.",
			Reason: "Kong does not start.", Example: "return { PRIORITY = \"1000\", VERSION = \"1.0.0\" }"},
		{ID: "handler-version", Severity: Error, versions: since3(0),
			Title:  "`VERSION` is a string with a version of one to three numbers.",
			Reason: "Kong does not start.", Example: "return { PRIORITY = 1000, VERSION = \"1.0.0.0\" }"},
		{ID: "handler-version-computed", Severity: Note, Title: "`VERSION` can be read without running the code.",
			Reason:  "`pack` needs `--version`.",
			Example: "return { PRIORITY = 1000, VERSION = require(\"kong.meta\").version }"},
		{ID: "handler-phases", Severity: Error, Title: "The phase `response` excludes `header_filter` and `body_filter`.",
			Reason:  "Kong does not start.",
			Example: "function H:response() end\nfunction H:body_filter() end"},
	}
}

func schemaRules() []Rule {
	return []Rule{
		{ID: "schema-table", Severity: Error, Title: "`schema.lua` returns a table.", Reason: "Kong does not start."},
		{ID: "schema-name", Severity: Error, versions: since3(0), Title: "The schema has a `name`.",
			Reason: "Kong does not start.", Example: "return { fields = { { config = { type = \"record\", fields = {} } } } }"},
		{ID: "schema-other-name", Severity: Warning, Title: "The schema's `name` is the plugin's name.",
			Reason:  "Kong starts. If the directory of the plugin has another name than the plugin, `pack` needs `--name`.",
			Example: "return { name = \"other\", fields = { ... } }"},
		{ID: "schema-fields", Severity: Error, Title: "`fields` is a list of tables with one field each.",
			Reason: "Kong does not start.", Example: "fields = { config = { type = \"record\", fields = {} } }"},
		{ID: "schema-config", Severity: Error, Title: "The field `config` is a record.", Reason: "Kong does not start.",
			Example: "fields = { { config = { type = \"map\", ... } } }"},
		{ID: "schema-no-config", Severity: Note, Title: "The schema has a field `config`.",
			Reason: "Kong starts, and the plugin has no settings.", Example: "fields = {}"},
		{ID: "schema-plugin-field", Severity: Error,
			Title:   "The outermost `fields` are `config` and those that every plugin has.",
			Reason:  "Kong does not start. For an unknown field, which Kong Enterprise may have, this is a warning.",
			Example: "fields = { { run_on = typedefs.run_on_first }, ... }"},
		{ID: "schema-type", Severity: Error, Title: "Every field has a type that Kong knows, and what the type needs.",
			Reason: "Kong does not start.", Example: "{ hosts = { type = \"array\" } } -- without elements"},
		{ID: "schema-attribute", Severity: Error, Title: "Fields and schemas have only attributes that Kong knows.",
			Reason: "Kong does not start.", Example: "{ host = { type = \"string\", mandatory = true } }"},
		{ID: "schema-attribute-kind", Severity: Error, Title: "The attributes of fields have the right kind of value.",
			Reason: "Kong does not start.", Example: "{ host = { type = \"string\", required = \"true\" } }"},
		{ID: "schema-removed-attribute", Severity: Error, versions: since3(0),
			Title:  "Fields and schemas have no attributes that Kong 3.0 removed.",
			Reason: "Kong does not start.", Example: "shorthands = { ... }"},
		{ID: "schema-legacy", Severity: Error, versions: since3(0), Title: "The schema has the form of Kong 1.0 and newer.",
			Reason: "Kong does not start.", Example: "return { no_consumer = true, fields = { host = { type = \"string\" } } }"},
	}
}

func entityRules() []Rule {
	return []Rule{
		{ID: "daos-array", Severity: Error, versions: since3(0), Title: "`daos.lua` returns a list of entities.",
			Reason: "Kong does not start.", Example: "return { name = \"tokens\", primary_key = { \"id\" }, fields = { ... } }"},
		{ID: "daos-map", Severity: Error, versions: since3(0), Title: "`daos.lua` does not return a map of entities.",
			Reason: "Kong does not start.", Example: "return { tokens = { name = \"tokens\", ... } }"},
		{ID: "daos-entity", Severity: Error, Title: "Each entity is a table with `name`, `primary_key` and `fields`.",
			Reason: "Kong does not start.", Example: "return { { name = \"tokens\", fields = { ... } } }"},
		{ID: "daos-attribute", Severity: Error, Title: "Entities have only attributes that Kong knows.",
			Reason: "Kong does not start.", Example: "return { { name = \"tokens\", primary_keys = { \"id\" }, ... } }"},
	}
}

func migrationRules() []Rule {
	const fails = "`kong migrations` fails."
	return []Rule{
		{ID: "migrations-missing", Severity: Error, Title: "A plugin with entities has migrations.",
			Reason: "Kong starts, and every request that uses the entities answers 500."},
		{ID: "migrations-legacy", Severity: Error, Title: "Migrations do not have the form before Kong 1.0.",
			Reason: "Kong starts, and every request that uses the entities answers 500."},
		{ID: "migrations-list", Severity: Error, Title: "`migrations/init.lua` returns a table.", Reason: fails,
			Example: "local list = { \"000_base\" } -- no return"},
		{ID: "migrations-ignored", Severity: Warning, Title: "The list of migrations has no holes and no other keys.",
			Reason:  "Kong runs only the migrations before the first hole.",
			Example: "return { \"000_base\", nil, \"001_next\" }"},
		{ID: "migrations-unreadable", Severity: Warning, Title: "The list of migrations has at most 1000 names.",
			Reason: "kongdao does not read longer lists."},
		{ID: "migration-missing", Severity: Error, Title: "Every listed migration has a file.", Reason: fails,
			Example: "return { \"000_base.lua\" }"},
		{ID: "migration-unlisted", Severity: Warning, Title: "Every file in `migrations` is listed.",
			Reason: "Kong never runs the migration."},
		{ID: "migration-table", Severity: Error, Title: "A migration returns a table.", Reason: fails},
		{ID: "migration-empty", Severity: Error, Title: "A migration has `up`, `up_f` or `teardown` in the part `postgres`.",
			Reason: fails, Example: "return { postgres = {} }"},
		{ID: "migration-parts", Severity: Error, Reason: fails,
			Title:   "`up` is a string. `up_f` and `teardown` are functions.",
			Example: "return { postgres = { up = function(connector) end } }"},
		{ID: "migration-field", Severity: Error, Title: "A migration has only `postgres` and `name`.", Reason: fails,
			Example: "return { postgres = { up = [[ ... ]], down = [[ ... ]] } }"},
		{ID: "migration-cassandra", Severity: Error, versions: since3(4), Title: "A migration has no part `cassandra`.",
			Reason: fails, Example: "return { postgres = { ... }, cassandra = { ... } }"},
	}
}

func sqlRules() []Rule {
	const old = "Requests to pods of the old release can fail until the rollout is complete."
	return []Rule{
		{ID: "sql-null-byte", Severity: Error, Title: "SQL has no null byte.", Reason: "`kong migrations up` fails."},
		{ID: "sql-drop", Severity: Warning, Title: "Only a teardown drops tables and columns.", Reason: old,
			Example: "up = [[ ALTER TABLE tokens DROP COLUMN IF EXISTS secret; ]]"},
		{ID: "sql-rename", Severity: Warning, Title: "Only a teardown renames.", Reason: old,
			Example: "up = [[ ALTER TABLE tokens RENAME COLUMN a TO b; ]]"},
		{ID: "sql-truncate", Severity: Warning, Title: "Only a teardown deletes all rows.", Reason: old,
			Example: "up = [[ TRUNCATE tokens; ]]"},
		{ID: "sql-type", Severity: Warning, Title: "Only a teardown changes types.", Reason: old,
			Example: "up = [[ ALTER TABLE tokens ALTER COLUMN n TYPE BIGINT; ]]"},
		{ID: "sql-not-null", Severity: Warning, Title: "New columns have a default, or can be NULL.", Reason: old,
			Example: "up = [[ ALTER TABLE tokens ADD COLUMN IF NOT EXISTS n INT NOT NULL; ]]"},
		{ID: "sql-unique", Severity: Warning, Title: "Existing tables get no unique index without a check of the rows.",
			Reason:  "`kong migrations up` fails if rows are equal.",
			Example: "up = [[ CREATE UNIQUE INDEX IF NOT EXISTS i ON tokens (name); ]]"},
		{ID: "sql-lock", Severity: Warning, Title: "Indexes on existing tables are created with CONCURRENTLY.",
			Reason:  "All writes to the table wait until the index is complete.",
			Example: "up = [[ CREATE INDEX IF NOT EXISTS i ON tokens (name); ]]"},
		{ID: "sql-not-idempotent", Severity: Warning, Title: "A migration can run twice.",
			Reason:  "After an interruption, Kong runs it again, and fails.",
			Example: "up = [[ CREATE TABLE tokens (id UUID PRIMARY KEY); ]]"},
	}
}

func moduleRules() []Rule {
	return []Rule{
		{ID: "module-removed", Severity: Error, Title: "The plugin requires no module that Kong removed.",
			Reason: "Kong does not start. The versions differ by module. A module that is only required in a function is a " +
				"warning.",
			Example: "local responses = require \"kong.tools.responses\""},
		{ID: "module-base-plugin", Severity: Error, versions: since3(0), Title: "The handler does not extend `base_plugin`.",
			Reason: "Kong does not start.", Example: "local Base = require \"kong.plugins.base_plugin\""},
		{ID: "module-missing", Severity: Error, Title: "The plugin has files for the modules under its own name.",
			Reason: "Kong does not start.", Example: "require \"kong.plugins.tokens.gone\""},
		{ID: "module-relative", Severity: Error, Title: "The plugin requires its modules by their full names.",
			Reason: "Kong does not start.", Example: "require \"lib.util\" -- the file lib/util.lua of the plugin"},
		{ID: "module-other-plugin", Severity: Warning, Title: "The pods have the other plugins that the plugin needs.",
			Reason: "Kong does not start if the other plugin is not there.", Example: "require \"kong.plugins.other.lib\""},
		{ID: "module-unknown", Severity: Error, Title: "Kong's image has the other modules that the plugin requires.",
			Reason: "Kong does not start if the module is not there. Without a list of the image's modules " +
				"(`lint --kong-modules`), this is a note.",
			Example: "require \"company.lib\""},
	}
}
