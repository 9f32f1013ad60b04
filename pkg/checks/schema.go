package checks

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/luaeval"
)

// attribute says which value a field of a definition has.
type attribute struct {
	kind luaeval.Kind // Unknown for any
	// since is the first version of Kong that knows the attribute, and isLegacy is true if Kong 3.0 removed it.
	since    KongVersion
	isLegacy bool
	// types are the types of fields that can have the attribute, or nil for all.
	types []string
}

var (
	anyAttribute      = attribute{}
	textAttribute     = attribute{kind: luaeval.String}
	numberAttribute   = attribute{kind: luaeval.Number}
	booleanAttribute  = attribute{kind: luaeval.Boolean}
	tableAttribute    = attribute{kind: luaeval.TableKind}
	functionAttribute = attribute{kind: luaeval.FunctionKind}
	legacyAttribute   = attribute{isLegacy: true}
)

// forTypes returns the attribute for some types of fields.
func (a attribute) forTypes(types ...string) attribute {
	a.types = types
	return a
}

// from3 returns the attribute for Kong 3.minor and newer.
func (a attribute) from3(minor int) attribute {
	a.since = KongVersion{3, minor}
	return a
}

// fieldTypes are the types of fields, with the attributes that they require.
var fieldTypes = map[string][]string{
	"array": {"elements"}, "set": {"elements"}, "map": {"keys", "values"}, "record": {"fields"},
	"string": nil, "number": nil, "boolean": nil, "integer": nil, "foreign": nil, "function": nil, "json": {"json_schema"},
}

// fieldAttributes are the attributes of a field that Kong 3.9 knows.
var fieldAttributes = map[string]attribute{
	"type": textAttribute, "required": booleanAttribute, "reference": textAttribute, "description": textAttribute.from3(4),
	"examples": tableAttribute.from3(6), "auto": booleanAttribute, "on_delete": textAttribute, "default": anyAttribute,
	"generate_admin_api": booleanAttribute, "immutable": booleanAttribute, "err": textAttribute,
	"encrypted": booleanAttribute, "referenceable": booleanAttribute, "deprecation": tableAttribute.from3(7),
	"unique":           booleanAttribute.forTypes("string", "number", "integer", "foreign"),
	"unique_across_ws": booleanAttribute.forTypes("string", "number", "integer", "foreign"),
	"abstract":         booleanAttribute.forTypes("string", "number", "integer", "record", "array", "set", "map"),
	"json_schema":      tableAttribute.forTypes("json").from3(5),
	"transient":        booleanAttribute.forTypes("string", "number", "integer", "array", "set", "boolean").from3(8),
	"between":          tableAttribute.forTypes("integer", "number"), "eq": anyAttribute, "ne": anyAttribute,
	"gt": numberAttribute, "len_eq": numberAttribute.forTypes("array", "set", "string", "map"),
	"len_min": numberAttribute, "len_max": numberAttribute, "match": textAttribute.forTypes("string"),
	"not_match": textAttribute, "match_all": tableAttribute, "match_none": tableAttribute, "match_any": tableAttribute,
	"starts_with": textAttribute, "one_of": tableAttribute.forTypes("string", "number", "integer"),
	"not_one_of": tableAttribute, "contains": anyAttribute.forTypes("array", "set"),
	"is_regex": booleanAttribute.forTypes("string"), "timestamp": booleanAttribute.forTypes("number", "integer"),
	"uuid": booleanAttribute.forTypes("string"), "custom_validator": functionAttribute,
	"mutually_exclusive_subsets": tableAttribute, "elements": tableAttribute, "keys": tableAttribute,
	"values": tableAttribute, "fields": tableAttribute, "entity_checks": tableAttribute,
	"shorthand_fields": tableAttribute, "legacy": legacyAttribute, "shorthands": legacyAttribute,
}

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
		return append(append(findings, checkFields(fields)...), checkPluginFields(fields)...)
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
	isMap := fields.Kind == luaeval.TableKind && !fields.Table.IsOpen && len(fields.Table.Keys()) > 0 &&
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
	hasConfig := false
	for _, field := range fields.Table.List() {
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

// checkKeys finds fields of a definition that Kong does not know, or that have the wrong kind of value.
func checkKeys(table *luaeval.Table, known map[string]attribute, what, rule string) []Finding {
	var findings []Finding
	for _, key := range table.Keys() {
		name, isText := key.(string)
		attribute, isKnown := known[name]
		value := table.Get(key)
		finding := Finding{Rule: rule,
			Message: fmt.Sprintf("%s has no attribute %q", what, fmt.Sprint(key)),
			Kong:    fmt.Sprintf("%s: \"schema violation (%v: unknown field)\"", notStarting, key),
			WayOut:  "remove it, or correct its name",
		}
		switch {
		case !isText || !isKnown:
		case !attribute.since.IsZero():
			finding.Message = fmt.Sprintf("the attribute %q exists since Kong %s", name, attribute.since)
			finding.WayOut = "remove it"
			finding.in = &versions{until: attribute.since}
		case attribute.isLegacy:
			finding.Rule = "schema-removed-attribute"
			finding.Message = fmt.Sprintf("Kong 3.0 removed the attribute %q", name)
			finding.WayOut = "remove it; for shorthands, write shorthand_fields"
		case attribute.kind != luaeval.Unknown && isCertain(value) && value.Kind != attribute.kind:
			finding.Rule = "schema-attribute-kind"
			finding.Message = fmt.Sprintf("the attribute %q is %s, and must be a %s", name, describe(value), attribute.kind)
			finding.Kong = fmt.Sprintf("%s: \"schema violation (%s: expected a %s)\"", notStarting, name, attribute.kind)
			finding.WayOut = "write a " + attribute.kind.String()
		default:
			continue
		}
		findings = append(findings, finding.at(value.Pos))
	}
	return findings
}

// checkFields checks a list of fields, each of which is a table with one key.
func checkFields(fields luaeval.Value) []Finding {
	if fields.Table.IsOpen {
		return nil
	}
	var findings []Finding
	for i, key := range fields.Table.Keys() {
		entry := fields.Table.Get(key)
		if key != float64(i+1) {
			return append(findings, Finding{Rule: "schema-fields",
				Message: fmt.Sprintf("fields has the key %v, and must be a list of tables with one field each", key),
				Kong:    notStarting + `: "schema violation (fields: expected an array)"`,
				WayOut:  "write fields = { { FIELD = { type = ... } }, { OTHER = { type = ... } } }",
			}.at(entry.Pos))
		}
		findings = append(findings, checkFieldEntry(entry)...)
	}
	return findings
}

func checkFieldEntry(entry luaeval.Value) []Finding {
	if !isCertain(entry) || entry.Table != nil && entry.Table.IsOpen {
		return nil
	}
	if entry.Kind != luaeval.TableKind || len(entry.Table.Keys()) != 1 {
		return []Finding{Finding{Rule: "schema-fields",
			Message: "an entry of fields must be a table with one field",
			Kong:    notStarting + `: "schema violation (fields: each entry in fields must be a sub-table)"`,
			WayOut:  "write { FIELD = { type = ... } } for each field",
		}.at(entry.Pos)}
	}
	name := entry.Table.Keys()[0]
	return checkField(fmt.Sprint(name), entry.Table.Get(name))
}

// checkField checks one field: its type, its attributes, and the fields inside.
func checkField(name string, field luaeval.Value) []Finding {
	if field.Kind != luaeval.TableKind || field.Table.IsOpen {
		return nil
	}
	findings := checkKeys(field.Table, fieldAttributes, fmt.Sprintf("field %q", name), "schema-attribute")
	kind := field.Table.Get("type")
	required, isType := fieldTypes[kind.Text]
	switch {
	case kind.Kind == luaeval.Nil || kind.Kind == luaeval.String && !isType:
		finding := Finding{Rule: "schema-type", Message: fmt.Sprintf("field %q has no type", name),
			Kong: notStarting + `: "schema violation (type: required field missing)"`, WayOut: "write type = \"string\""}
		pos := field.Pos
		if kind.Kind == luaeval.String {
			finding.Message = fmt.Sprintf("field %q has the type %q, which Kong does not know", name, kind.Text)
			finding.Kong = fmt.Sprintf("%s: \"schema violation (type: expected one of: ...)\"", notStarting)
			finding.WayOut = "use one of " + strings.Join(sortedTypes(), ", ")
			pos = kind.Pos
		}
		return append(findings, finding.at(pos))
	case kind.Kind != luaeval.String:
		return findings
	}
	isAbstract := field.Table.Get("abstract").Kind != luaeval.Nil
	for _, attribute := range required {
		if field.Table.Get(attribute).Kind == luaeval.Nil && !isAbstract {
			findings = append(findings, Finding{Rule: "schema-type",
				Message: fmt.Sprintf("field %q has the type %q without %q", name, kind.Text, attribute),
				Kong:    fmt.Sprintf("%s: \"field of type '%s' must declare '%s'\"", notStarting, kind.Text, attribute),
				WayOut:  "write " + attribute + " = { ... }",
			}.at(field.Pos))
		}
	}
	findings = append(findings, checkAttributeTypes(name, kind.Text, field.Table)...)
	for _, nested := range []string{"elements", "keys", "values"} {
		findings = append(findings, checkField(name, field.Table.Get(nested))...)
	}
	if fields := field.Table.Get("fields"); fields.Kind == luaeval.TableKind {
		findings = append(findings, checkFields(fields)...)
	}
	return findings
}

// checkAttributeTypes finds attributes that a field of this type cannot have.
func checkAttributeTypes(name, kind string, field *luaeval.Table) []Finding {
	var findings []Finding
	for _, key := range field.Keys() {
		text, _ := key.(string)
		if types := fieldAttributes[text].types; types != nil && !slices.Contains(types, kind) {
			findings = append(findings, Finding{Rule: "schema-attribute",
				Message: fmt.Sprintf("field %q has the type %q, which has no attribute %q", name, kind, text),
				Kong:    fmt.Sprintf("%s: \"field of type '%s' cannot have attribute '%s'\"", notStarting, kind, text),
				WayOut:  fmt.Sprintf("remove %s, or change the type to one of %s", text, strings.Join(types, ", ")),
			}.at(field.Get(key).Pos))
		}
	}
	return findings
}

func sortedTypes() []string {
	var types []string
	for name := range fieldTypes {
		types = append(types, name)
	}
	slices.Sort(types)
	return types
}

// keepSchemaName keeps the name of a schema.
func keepSchemaName(value luaeval.Value) luaeval.Value {
	name := value.Table.Get("name")
	if value.Kind != luaeval.TableKind || value.Table.IsOpen {
		return luaeval.Value{}
	}
	return name.Constants(0)
}
