package checks

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

const listFails = `"kong migrations" fails`

// newList reads the list of migrations, as Kong's ipairs does.
func newList(value luaeval.Value) *List {
	if value.Kind != luaeval.TableKind {
		return &List{}
	}
	list := &List{IsKnown: !value.Table.IsOpen}
	for _, name := range value.Table.List() {
		switch {
		case name.Kind == luaeval.Number: // Kong formats the name as text
			name.Text = fmt.Sprint(name.Number)
		case name.Kind != luaeval.String:
			list.IsKnown = false
			continue
		}
		if len(list.Names) == maxListed {
			list.isOverLimit, list.IsKnown = true, false
			return list
		}
		if len(name.Text) > maxNameBytes {
			list.IsKnown = false
			continue
		}
		list.Names = append(list.Names, strings.Clone(name.Text))
		list.positions = append(list.positions, name.Pos)
	}
	if !list.IsKnown {
		list.Names, list.positions = nil, nil
	}
	return list
}

// checkList checks what the list of migrations is (fact K37: it is a table of strings).
func checkList(value luaeval.Value) []Finding {
	switch value.Kind {
	case luaeval.Unknown, luaeval.Module:
		return nil
	case luaeval.TableKind:
		return checkListKeys(value)
	}
	return []Finding{Finding{Rule: "migrations-list",
		Message: fmt.Sprintf("the file returns %s, and must return the list of migrations", describe(value)),
		Kong:    listFails + `: "migrations index from '...' must be a table"`,
		WayOut:  `write return { "000_base" }`,
	}.at(value.Pos)}
}

// checkListKeys finds migrations that Kong does not see, because ipairs reads only the list part up to the first nil.
func checkListKeys(value luaeval.Value) []Finding {
	var findings []Finding
	listed := len(value.Table.List())
	for _, key := range value.Table.Keys() {
		number, isNumber := key.(float64)
		if isNumber && number >= 1 && int(number) <= listed || value.Table.IsOpen || len(findings) == maxFindings {
			continue
		}
		findings = append(findings, Finding{Rule: "migrations-ignored",
			Message: fmt.Sprintf("Kong ignores the entry with the key %v, because it reads up to the first missing number", key),
			WayOut:  "list the names without keys and without nil",
		}.at(value.Table.Get(key).Pos))
	}
	return findings
}

// migrationParts are the fields of a migration for PostgreSQL, with their kinds.
var migrationParts = map[string]luaeval.Kind{
	"up": luaeval.String, "up_f": luaeval.FunctionKind, "teardown": luaeval.FunctionKind,
}

// checkMigration checks what the file of a migration returns (fact K37).
func checkMigration(value luaeval.Value) []Finding {
	switch value.Kind {
	case luaeval.Unknown, luaeval.Module:
		return nil
	case luaeval.TableKind:
	default:
		return []Finding{Finding{Rule: "migration-table",
			Message: fmt.Sprintf("the file returns %s, and must return a table", describe(value)),
			Kong:    listFails + `: "attempt to index local 'migration'"`,
			WayOut:  `write return { postgres = { up = [[ ... ]] } }`,
		}.at(value.Pos)}
	}
	if value.Table.IsOpen {
		return nil
	}
	findings := append(checkMigrationFields(value.Table), checkParts(value)...)
	if value.Table.Get("cassandra").Kind != luaeval.Nil {
		for i := range findings {
			if findings[i].Rule == "migration-empty" { // before Kong 3.4, a part for Cassandra is enough
				findings[i].in = new(since3(4))
			}
		}
	}
	return findings
}

// checkParts checks the part of a migration for PostgreSQL.
func checkParts(migration luaeval.Value) []Finding {
	postgres := migration.Table.Get("postgres")
	var findings []Finding
	switch postgres.Kind {
	case luaeval.TableKind:
		if !postgres.Table.IsOpen {
			findings = append(findings, checkPostgres(postgres)...)
		}
		return append(findings, checkSQL(postgres.Table)...)
	case luaeval.Unknown, luaeval.Module:
		return findings
	case luaeval.Nil:
		return append(findings, emptyMigration("the migration has no part postgres", migration.Pos))
	}
	return append(findings, Finding{Rule: "migration-parts",
		Message: fmt.Sprintf("postgres is %s, and must be a table", describe(postgres)),
		Kong:    violation("postgres: expected a record"),
		WayOut:  "write postgres = { up = [[ ... ]] }",
	}.at(postgres.Pos))
}

// violation returns Kong's words for an invalid migration.
func violation(words string) string {
	return fmt.Sprintf("%s: \"is invalid: schema violation (%s)\"", listFails, words)
}

func emptyMigration(message string, pos lua.Pos) Finding {
	return Finding{Rule: "migration-empty", Message: message,
		Kong: violation("at least one of these fields must be non-empty: " +
			"'postgres.up', 'postgres.up_f', 'postgres.teardown'"),
		WayOut: "add up = [[ ... ]] to the part postgres, or remove the migration from the list",
	}.at(pos)
}

// checkMigrationFields finds other fields than postgres and name.
func checkMigrationFields(migration *luaeval.Table) []Finding {
	var findings []Finding
	for _, key := range migration.Keys() {
		if len(findings) == maxFindings {
			break
		}
		name, value := fmt.Sprint(key), migration.Get(key)
		finding := Finding{Rule: "migration-field",
			Message: fmt.Sprintf("the migration has the field %q, which Kong does not know", name),
			Kong:    violation(name + ": unknown field"), WayOut: fmt.Sprintf("remove the field %q", name)}
		switch name {
		case "postgres", "name":
			continue
		case "cassandra":
			finding.Rule = "migration-cassandra"
			finding.Message = "the migration has a part for Cassandra, which Kong 3.4 removed"
			finding.WayOut = "remove the part cassandra"
		case "up", "up_f", "teardown", "down":
			finding.WayOut = fmt.Sprintf("move %q into the part postgres", name)
			if name == "down" {
				finding.WayOut = "remove it: Kong never undoes a migration"
			}
		}
		findings = append(findings, finding.at(value.Pos))
	}
	return findings
}

// checkPostgres checks the fields of the part for PostgreSQL.
func checkPostgres(postgres luaeval.Value) []Finding {
	var findings []Finding
	isEmpty := true
	for _, key := range postgres.Table.Keys() {
		if len(findings) == maxFindings {
			break
		}
		name, value := fmt.Sprint(key), postgres.Table.Get(key)
		kind, isKnown := migrationParts[name]
		switch {
		case !isKnown:
			wayOut := fmt.Sprintf("remove the field %q", name)
			if name == "down" {
				wayOut = "remove it: Kong never undoes a migration"
			}
			findings = append(findings, Finding{Rule: "migration-field", WayOut: wayOut,
				Message: fmt.Sprintf("the part postgres has the field %q, which Kong does not know", name),
				Kong:    violation("postgres." + name + ": unknown field"),
			}.at(value.Pos))
		case value.Kind == luaeval.Unknown || value.Kind == luaeval.Module:
			isEmpty = false
		case value.Kind != kind:
			isEmpty = false
			findings = append(findings, wrongPart(name, kind, value))
		default:
			isEmpty = isEmpty && value.Kind == luaeval.String && value.Text == ""
		}
	}
	if isEmpty {
		findings = append(findings, emptyMigration("the part postgres has no up, up_f or teardown", postgres.Pos))
	}
	return findings
}

// wrongPart is the finding for a part of the wrong kind.
func wrongPart(name string, kind luaeval.Kind, value luaeval.Value) Finding {
	finding := Finding{Rule: "migration-parts",
		Message: fmt.Sprintf("%s is %s, and must be a %s", name, describe(value), kind),
		Kong:    violation(fmt.Sprintf("postgres.%s: expected a %s", name, kind)),
		WayOut:  fmt.Sprintf("write %s = function(connector) ... end", name),
	}
	if kind == luaeval.String {
		finding.WayOut = "write up = [[ SQL ]]; rename it to up_f if it must be a function"
	}
	return finding.at(value.Pos)
}
