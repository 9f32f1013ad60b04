package checks

import (
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
