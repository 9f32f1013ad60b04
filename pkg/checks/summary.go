package checks

import (
	"errors"
	"path"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

// role is what Kong uses a file for.
type role int

const (
	moduleRole role = iota // any other module
	handlerRole
	schemaRole
	daosRole
	apiRole
	listRole
	migrationRole
)

// roleOf returns the role of a file from its path in the plugin's directory. A flat source has the migrations in the
// plugin's root. So every file there can be a migration, and "init.lua" can be the list.
func roleOf(file string) role {
	switch file {
	case HandlerFile:
		return handlerRole
	case SchemaFile:
		return schemaRole
	case DAOsFile:
		return daosRole
	case APIFile:
		return apiRole
	case InitFile, MigrationsModule, MigrationsInit:
		return listRole
	}
	if strings.HasPrefix(file, annotations.MigrationsFolder+"/") || path.Dir(file) == "." {
		return migrationRole
	}
	return moduleRole
}

// Limits of a summary.
const (
	// maxFindings limits the findings of a file. More of them do not help.
	maxFindings = 30
	// maxListed limits the migrations in a list, and maxEntities the entities.
	maxListed   = 1000
	maxEntities = 200
	// maxKeptValues limits the values of a table that a summary keeps.
	maxKeptValues  = 60
	maxKeptModules = 100
	// maxNameBytes limits the names that a summary keeps.
	maxNameBytes = 300
)

// Summary is what the checks keep of a file. It needs little memory, and has neither the contents nor the code.
type Summary struct {
	role role
	// loadError is the finding for a file that LuaJIT cannot read.
	loadError *Finding
	// isUnread is true if the file is over a limit of the parser: nothing is known about it.
	isUnread bool
	// findings are those of the file in its role.
	findings []Finding
	// value is what a handler or another module returns.
	value luaeval.Value
	// list is the list of migrations.
	list *List
	// entities are the entities of daos.lua, and hasEntities is false if there are certainly none.
	entities    []entity
	hasEntities bool
	required    []luaeval.Required
}

// List is a list of migrations.
type List struct {
	// Names are the names in the order of the list.
	Names []string
	// IsKnown is true if Kong sees exactly this list. Otherwise only Lua can compute it.
	IsKnown bool
	// positions are the places of the names.
	positions []lua.Pos
	// isOverLimit is true if the list has more names than the catalog keeps.
	isOverLimit bool
}

// IsEmpty reports whether Kong certainly sees no migration.
func (l *List) IsEmpty() bool { return l != nil && l.IsKnown && len(l.Names) == 0 }

// Summarize reads a Lua file, given by its path in the plugin's directory. It never runs the file.
func Summarize(file string, content []byte) *Summary {
	summary := &Summary{role: roleOf(file), hasEntities: true}
	chunk, err := lua.Parse(content)
	var syntax *lua.SyntaxError
	switch {
	case errors.As(err, &syntax):
		summary.loadError = syntaxFinding(syntax)
		return summary
	case err != nil:
		summary.isUnread = true
		return summary
	}
	result := luaeval.Evaluate(chunk)
	summary.required = keepRequired(result.Required)
	switch summary.role {
	case schemaRole:
		summary.findings = checkSchema(result.Value)
		summary.value = keepSchemaName(result.Value)
	case daosRole:
		summary.checkDAOs(result.Value)
	case apiRole:
		summary.findings = checkAPI(result.Value)
	case listRole:
		summary.list = newList(result.Value)
		summary.findings = checkList(result.Value)
	case migrationRole:
		summary.findings = checkMigration(result.Value)
		summary.value = result.Value.Constants(maxKeptValues)
	default:
		summary.value = result.Value.Constants(maxKeptValues)
	}
	if len(summary.findings) > maxFindings {
		summary.findings = summary.findings[:maxFindings]
	}
	return summary
}

// Unread returns the summary of a file that is too large to be read.
func Unread(file string) *Summary {
	return &Summary{role: roleOf(file), isUnread: true, hasEntities: true}
}

// keepRequired keeps the modules that the checks can say something about.
func keepRequired(required []luaeval.Required) []luaeval.Required {
	var kept []luaeval.Required
	for _, r := range required {
		if len(r.Module) <= maxNameBytes && len(kept) < maxKeptModules {
			r.Module = strings.Clone(r.Module)
			kept = append(kept, r)
		}
	}
	return kept
}

// Size returns the approximate memory of the summary in bytes.
func (s *Summary) Size() int {
	if s == nil {
		return 0
	}
	const findingBytes, requiredBytes, entityBytes = 200, 60, 100
	size := 200 + s.value.Size()
	for _, finding := range s.findings {
		size += findingBytes + len(finding.Message) + len(finding.Kong) + len(finding.WayOut)
	}
	for _, required := range s.required {
		size += requiredBytes + len(required.Module)
	}
	for _, entity := range s.entities {
		size += entityBytes + len(entity.name) + len(entity.class)
	}
	if s.list != nil {
		for _, name := range s.list.Names {
			size += 32 + len(name)
		}
	}
	return size
}

// List returns the list of migrations that the file returns. It is nil if the file cannot be a list.
func (s *Summary) List() *List {
	if s == nil || s.list == nil && s.role != listRole {
		return nil
	}
	if s.list == nil {
		return &List{}
	}
	return s.list
}

// HasEntities reports whether a file can define entities of a database. It is false for a daos.lua with an empty list.
func (s *Summary) HasEntities() bool { return s == nil || s.hasEntities }

// Version returns the VERSION that a handler sets, also if code could change it later.
func (s *Summary) Version() luaeval.Value {
	if s == nil {
		return luaeval.Value{}
	}
	return s.value.Table.Get("VERSION")
}

// Files of a plugin that Kong treats specially.
const (
	HandlerFile = "handler.lua"
	SchemaFile  = "schema.lua"
	DAOsFile    = "daos.lua"
	APIFile     = "api.lua"
	InitFile    = "init.lua"
	// LuaSuffix is the suffix of Lua files.
	LuaSuffix = ".lua"
	// MigrationsInit returns the list of migrations. If MigrationsModule exists, that file returns the list instead: Kong
	// first requires "kong.plugins.NAME.migrations", which Lua finds in migrations.lua (facts K1 and K2).
	MigrationsInit   = annotations.MigrationsFolder + "/" + InitFile
	MigrationsModule = annotations.MigrationsFolder + LuaSuffix
)
