package checks

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/luaeval"
)

// schemaKeys are the fields of a plugin's schema that Kong 3.9 knows.
var schemaKeys = map[string]attribute{
	"name": textAttribute, "fields": tableAttribute, "entity_checks": tableAttribute,
	"shorthand_fields": tableAttribute, "transformations": tableAttribute, "check": functionAttribute,
	"shorthands": legacyAttribute,
}

// legacySchemaKeys are the fields of schemas before Kong 1.0.
var legacySchemaKeys = []string{"no_consumer", "no_service", "no_route", "no_api", "self_check", "primary_key", "table"}

// checkSchema checks what schema.lua returns.
func checkSchema(value luaeval.Value) []Finding {
	switch value.Kind {
	case luaeval.Unknown, luaeval.Module:
		return nil
	case luaeval.TableKind:
	default:
		return []Finding{Finding{Rule: "schema-table", Kong: notStarting + `: "expected an input table"`,
			Message: fmt.Sprintf("the file returns %s, and must return a table", describe(value)),
			WayOut:  `write return { name = "NAME", fields = { { config = { type = "record", fields = {} } } } }`,
		}.at(value.Pos)}
	}
	if value.Table.IsOpen {
		return nil
	}
	if legacy, isLegacy := legacySchema(value); isLegacy {
		return []Finding{legacy}
	}
	var findings []Finding
	switch name := value.Table.Get("name"); {
	case name.Kind == luaeval.String || !isCertain(name):
	default:
		findings = append(findings, Finding{Rule: "schema-name", Message: "the schema has no name",
			Kong:   notStarting + `: "schema violation (name: required field missing)"`,
			WayOut: `write name = "NAME" with the plugin's name`,
		}.at(value.Pos))
	}
	findings = append(findings, checkKeys(value.Table, schemaKeys, "a schema", "schema-attribute")...)
	fields := value.Table.Get("fields")
	switch fields.Kind {
	case luaeval.TableKind:
		checker := newFieldChecker()
		checker.checkFields(fields)
		return append(append(findings, checker.findings...), checkPluginFields(fields)...)
	case luaeval.Nil:
		return append(findings, Finding{Rule: "schema-fields", Message: "the schema has no fields",
			Kong:   notStarting + `: "schema violation (fields: 'fields' must be a table)"`,
			WayOut: `write fields = { { config = { type = "record", fields = {} } } }`,
		}.at(value.Pos))
	}
	return findings
}

// legacySchema finds a schema in the form before Kong 1.0: a map of fields, and no name.
func legacySchema(value luaeval.Value) (Finding, bool) {
	fields := value.Table.Get("fields")
	hasOldKey := slices.ContainsFunc(legacySchemaKeys, func(key string) bool {
		return value.Table.Get(key).Kind != luaeval.Nil
	})
	isMap := fields.Kind == luaeval.TableKind && !fields.Table.IsOpen && fields.Table.Len() > 0 &&
		len(fields.Table.List()) == 0
	if value.Table.Get("name").Kind != luaeval.Nil || !hasOldKey && !isMap {
		return Finding{}, false
	}
	return Finding{Rule: "schema-legacy", Message: "the schema has the form before Kong 1.0, which Kong 3.0 removed",
		Kong:   notStarting + `: "schema violation (fields: ...; name: required field missing)"`,
		WayOut: `write return { name = "NAME", fields = { { config = { type = "record", fields = { ... } } } } }`,
	}.at(value.Pos), true
}

// pluginFields are the fields that every plugin has. Kong Enterprise has more.
var pluginFields = []string{
	"id", "name", "instance_name", "created_at", "updated_at", "route", "service", "consumer", "consumer_group", "config",
	"protocols", "enabled", "tags", "ordering", "partials", "condition",
}

// removedPluginFields are fields that plugins had before Kong 2.8.
var removedPluginFields = []string{"run_on", "api"}

// checkPluginFields checks the outermost fields of a schema. One of them is config, which holds the plugin's settings.
func checkPluginFields(fields luaeval.Value) []Finding {
	if fields.Table.IsOpen {
		return nil
	}
	var findings []Finding
	hasConfig, seen := false, map[*luaeval.Table]bool{}
	for _, field := range fields.Table.List() {
		if seen[field.Table] {
			continue
		}
		seen[field.Table] = true
		if !isCertain(field) || field.Kind != luaeval.TableKind || field.Table.IsOpen {
			return findings
		}
		for _, key := range field.Table.Keys() {
			name, value := fmt.Sprint(key), field.Table.Get(key)
			switch {
			case name == "config":
				hasConfig = true
				findings = append(findings, checkConfig(value)...)
			case !slices.Contains(pluginFields, name):
				findings = append(findings, unknownPluginField(name, value))
			}
		}
	}
	if !hasConfig {
		findings = append(findings, Finding{Rule: "schema-no-config",
			Message: "the schema has no field config, so the plugin has no settings",
			WayOut:  `write fields = { { config = { type = "record", fields = {} } } }`,
		}.at(fields.Pos))
	}
	return findings
}

func unknownPluginField(name string, value luaeval.Value) Finding {
	finding := Finding{Rule: "schema-plugin-field", Message: fmt.Sprintf("plugins have no field %q", name),
		Kong:   notStarting + ": \"error initializing schema for plugin: ... unknown field\"",
		WayOut: "move it into the fields of config, or remove it"}.at(value.Pos)
	if !slices.Contains(removedPluginFields, name) {
		finding.maxSeverity = Warning
	}
	return finding
}

func checkConfig(config luaeval.Value) []Finding {
	kind := config.Table.Get("type")
	if config.Kind != luaeval.TableKind || config.Table.IsOpen || kind.Kind != luaeval.String || kind.Text == "record" {
		return nil
	}
	return []Finding{Finding{Rule: "schema-config",
		Message: fmt.Sprintf("the field config has the type %q, and must be a record", kind.Text),
		Kong:    notStarting + ": \"error initializing schema for plugin\"",
		WayOut:  `write config = { type = "record", fields = { ... } }`,
	}.at(kind.Pos)}
}

// keepSchemaName keeps the name of a schema.
func keepSchemaName(value luaeval.Value) luaeval.Value {
	name := value.Table.Get("name")
	if value.Kind != luaeval.TableKind || value.Table.IsOpen {
		return luaeval.Value{}
	}
	return name.Constants(0)
}
