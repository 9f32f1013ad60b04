package checks

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

// entity is an entity of daos.lua.
type entity struct {
	name string
	// class is the module of its DAO class, or "".
	class    string
	classPos lua.Pos
}

// checkDAOs checks what daos.lua returns (facts K4 and K38: an array of tables with name, primary_key and fields).
func (s *Summary) checkDAOs(value luaeval.Value) {
	switch value.Kind {
	case luaeval.Unknown, luaeval.Module:
		return
	case luaeval.TableKind:
	default:
		s.findings = []Finding{Finding{Rule: "daos-array",
			Message: fmt.Sprintf("the file returns %s, and must return a list of entities", describe(value)),
			Kong:    notStarting + `: "returned non-array daos definition table"`,
			WayOut:  "write return { { name = ..., primary_key = ..., fields = ... } }, or delete the file",
		}.at(value.Pos)}
		return
	}
	if value.Table.IsOpen {
		return
	}
	s.hasEntities = value.Table.Len() > 0
	if !value.Table.IsArray() {
		s.findings = []Finding{nonArray(value)}
		return
	}
	fields, seen := newFieldChecker(), map[*luaeval.Table]bool{}
	for _, entity := range value.Table.List() {
		if entity.Table != nil && seen[entity.Table] {
			continue
		}
		seen[entity.Table] = true
		s.checkEntity(entity, fields)
		if len(s.findings)+len(fields.findings) >= maxFindings {
			break
		}
	}
	s.findings = append(s.findings, fields.findings...)
}

// nonArray is the finding for a table that is not an array: the map of Kong before 3.0, or a single entity.
func nonArray(value luaeval.Value) Finding {
	finding := Finding{Rule: "daos-map", Message: "the file returns a map, the form before Kong 3.0",
		Kong:   notStarting + `: "returned non-array daos definition table"`,
		WayOut: "return a list: write { { name = ... } } for { NAME = { name = ... } }"}
	if value.Table.Get("primary_key").Kind != luaeval.Nil {
		finding.Rule = "daos-array"
		finding.Message = "the file returns one entity, and must return a list of entities"
		finding.WayOut = "put the entity into a list: return { { name = ... } }"
	}
	return finding.at(value.Pos)
}

func (s *Summary) checkEntity(value luaeval.Value, fields *fieldChecker) {
	switch value.Kind {
	case luaeval.Unknown, luaeval.Module:
		return
	case luaeval.TableKind:
	default:
		s.add(Finding{Rule: "daos-entity", Kong: notStarting,
			Message: fmt.Sprintf("an entity is %s, and must be a table", describe(value)),
			WayOut:  "write { name = ..., primary_key = ..., fields = ... }",
		}.at(value.Pos))
		return
	}
	if value.Table.IsOpen {
		return
	}
	name := value.Table.Get("name")
	label := "the entity"
	if name.Kind == luaeval.String {
		label = fmt.Sprintf("entity %q", name.Text)
	}
	for _, required := range []struct {
		field string
		kind  luaeval.Kind
		write string
	}{
		{"name", luaeval.String, `name = "my_entities"`},
		{"primary_key", luaeval.TableKind, `primary_key = { "id" }`},
		{"fields", luaeval.TableKind, "fields = { { id = typedefs.uuid } }"},
	} {
		field := value.Table.Get(required.field)
		if field.Kind == required.kind || !isCertain(field) {
			continue
		}
		pos, problem := field.Pos, "is "+describe(field)
		if field.Kind == luaeval.Nil {
			pos, problem = value.Pos, "is missing"
		}
		s.add(Finding{Rule: "daos-entity", Message: fmt.Sprintf("%s: %s %s", label, required.field, problem),
			Kong: fmt.Sprintf("%s: \"schema of custom plugin entity ... is invalid: schema violation (%s)\"",
				notStarting, required.field),
			WayOut: "write " + required.write,
		}.at(pos))
	}
	s.findings = append(s.findings, checkEntityKeys(value.Table)...)
	fields.checkFields(value.Table.Get("fields"))
	s.addEntity(value.Table)
}

func (s *Summary) addEntity(table *luaeval.Table) {
	if len(s.entities) == maxEntities {
		return
	}
	kept := entity{name: strings.Clone(limitName(table.Get("name").Text))}
	if class := table.Get("dao"); class.Kind == luaeval.String {
		kept.class, kept.classPos = strings.Clone(limitName(class.Text)), class.Pos
	}
	s.entities = append(s.entities, kept)
}

func limitName(name string) string { return name[:min(len(name), maxNameBytes)] }

func (s *Summary) add(finding Finding) { s.findings = append(s.findings, finding) }

// isCertain reports whether a value is the one that Kong sees.
func isCertain(value luaeval.Value) bool {
	return value.Kind != luaeval.Unknown && value.Kind != luaeval.Module
}

// entityKeys are the fields of an entity's definition that Kong 3.9 knows, with the kinds of their values.
var entityKeys = map[string]attribute{
	"name": textAttribute, "primary_key": tableAttribute, "workspaceable": booleanAttribute,
	"endpoint_key": textAttribute, "cache_key": tableAttribute, "ttl": booleanAttribute, "db_export": booleanAttribute,
	"subschema_key": textAttribute, "subschema_error": textAttribute, "generate_admin_api": booleanAttribute,
	"admin_api_name": textAttribute, "table_name": textAttribute, "admin_api_nested_name": textAttribute,
	"fields": tableAttribute, "entity_checks": tableAttribute, "shorthand_fields": tableAttribute,
	"transformations": tableAttribute, "check": functionAttribute, "dao": textAttribute,
	"legacy": legacyAttribute, "shorthands": legacyAttribute,
}

func checkEntityKeys(table *luaeval.Table) []Finding {
	return checkKeys(table, entityKeys, "an entity", "daos-attribute")
}
