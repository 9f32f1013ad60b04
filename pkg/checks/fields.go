package checks

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/luaeval"
)

// checkKeys finds fields of a definition that Kong does not know, or that have the wrong kind of value.
func checkKeys(table *luaeval.Table, known map[string]attribute, what, rule string) []Finding {
	var findings []Finding
	for _, key := range table.Keys() {
		if len(findings) == maxFindings {
			break
		}
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

// fieldChecker checks the fields of a schema or of a list of entities. Lua files can use a table in many places, and
// in itself. The checker checks each table once.
type fieldChecker struct {
	seen map[*luaeval.Table]bool
	// depth is how many fields contain the current one.
	depth    int
	findings []Finding
}

// maxFieldDepth limits how many fields inside fields are checked.
const maxFieldDepth = 100

func newFieldChecker() *fieldChecker { return &fieldChecker{seen: map[*luaeval.Table]bool{}} }

// isNew reports whether the checker must look at a table.
func (c *fieldChecker) isNew(table *luaeval.Table) bool {
	if table == nil || table.IsOpen || c.seen[table] || len(c.findings) >= maxFindings {
		return false
	}
	c.seen[table] = true
	return true
}

func (c *fieldChecker) add(finding Finding) { c.findings = append(c.findings, finding) }

// checkFields checks a list of fields, each of which is a table with one key.
func (c *fieldChecker) checkFields(fields luaeval.Value) {
	if fields.Kind != luaeval.TableKind || !c.isNew(fields.Table) {
		return
	}
	for i, key := range fields.Table.Keys() {
		entry := fields.Table.Get(key)
		if key != float64(i+1) {
			c.add(Finding{Rule: "schema-fields",
				Message: fmt.Sprintf("fields has the key %v, and must be a list of tables with one field each", key),
				Kong:    notStarting + `: "schema violation (fields: expected an array)"`,
				WayOut:  "write fields = { { FIELD = { type = ... } }, { OTHER = { type = ... } } }",
			}.at(entry.Pos))
			return
		}
		c.checkFieldEntry(entry)
	}
}

func (c *fieldChecker) checkFieldEntry(entry luaeval.Value) {
	isTable := entry.Kind == luaeval.TableKind
	if !isCertain(entry) || len(c.findings) >= maxFindings || isTable && !c.isNew(entry.Table) {
		return
	}
	if !isTable || entry.Table.Len() != 1 {
		c.add(Finding{Rule: "schema-fields",
			Message: "an entry of fields must be a table with one field",
			Kong:    notStarting + `: "schema violation (fields: each entry in fields must be a sub-table)"`,
			WayOut:  "write { FIELD = { type = ... } } for each field",
		}.at(entry.Pos))
		return
	}
	name := entry.Table.Keys()[0]
	c.checkField(fmt.Sprint(name), entry.Table.Get(name))
}

// checkField checks one field: its type, its attributes, and the fields inside.
func (c *fieldChecker) checkField(name string, field luaeval.Value) {
	if field.Kind != luaeval.TableKind || c.depth == maxFieldDepth || !c.isNew(field.Table) {
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	c.findings = append(c.findings,
		checkKeys(field.Table, fieldAttributes, fmt.Sprintf("field %q", name), "schema-attribute")...)
	kind := field.Table.Get("type")
	required, isType := fieldTypes[kind.Text]
	switch {
	case kind.Kind == luaeval.Nil || kind.Kind == luaeval.String && !isType:
		c.add(invalidType(name, field))
		return
	case kind.Kind != luaeval.String:
		return
	}
	isAbstract := field.Table.Get("abstract").Kind != luaeval.Nil
	for _, attribute := range required {
		if field.Table.Get(attribute).Kind == luaeval.Nil && !isAbstract {
			c.add(Finding{Rule: "schema-type",
				Message: fmt.Sprintf("field %q has the type %q without %q", name, kind.Text, attribute),
				Kong:    fmt.Sprintf("%s: \"field of type '%s' must declare '%s'\"", notStarting, kind.Text, attribute),
				WayOut:  "write " + attribute + " = { ... }",
			}.at(field.Pos))
		}
	}
	c.findings = append(c.findings, checkAttributeTypes(name, kind.Text, field.Table)...)
	for _, nested := range []string{"elements", "keys", "values"} {
		c.checkField(name, field.Table.Get(nested))
	}
	c.checkFields(field.Table.Get("fields"))
}

// invalidType is the finding for a field without a type, or with an unknown one.
func invalidType(name string, field luaeval.Value) Finding {
	kind := field.Table.Get("type")
	if kind.Kind != luaeval.String {
		return Finding{Rule: "schema-type", Message: fmt.Sprintf("field %q has no type", name),
			Kong:   notStarting + `: "schema violation (type: required field missing)"`,
			WayOut: `write type = "string"`,
		}.at(field.Pos)
	}
	return Finding{Rule: "schema-type",
		Message: fmt.Sprintf("field %q has the type %q, which Kong does not know", name, kind.Text),
		Kong:    fmt.Sprintf("%s: \"schema violation (type: expected one of: ...)\"", notStarting),
		WayOut:  "use one of " + strings.Join(sortedTypes(), ", "),
	}.at(kind.Pos)
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
