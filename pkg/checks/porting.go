package checks

import "slices"

// PortingStep is one thing to change in a plugin that was written for an older Kong.
type PortingStep struct {
	Title string `json:"title"`
	// Places are the places of the findings: "handler.lua:3".
	Places []string `json:"places"`
	// Before and After are an example.
	Before string `json:"before"`
	After  string `json:"after"`

	rules []string
}

// portingSteps are all steps, in the order in which to do them.
func portingSteps() []PortingStep {
	return []PortingStep{
		{Title: "Return a plain table from handler.lua, with PRIORITY and VERSION",
			rules: []string{"module-base-plugin", "handler-priority", "handler-version", "handler-table"},
			Before: "local Base = require \"kong.plugins.base_plugin\"\nlocal H = Base:extend()\n" +
				"function H:new() H.super.new(self, \"tokens\") end\nfunction H:access(conf) H.super.access(self) end\n" +
				"return H\n",
			After: "local H = { PRIORITY = 1000, VERSION = \"1.0.0\" }\nfunction H:access(conf) end\nreturn H\n"},
		{Title: "Replace modules that Kong removed", rules: []string{"module-removed"},
			Before: "local responses = require \"kong.tools.responses\"\nlocal singletons = require \"kong.singletons\"\n" +
				"return responses.send_HTTP_FORBIDDEN(\"no\")\nlocal dao = singletons.dao\n",
			After: "return kong.response.exit(403, { message = \"no\" })\nlocal db = kong.db\n"},
		{Title: "Write the schema as a list of fields",
			rules: []string{
				"schema-legacy", "schema-name", "schema-fields", "schema-removed-attribute", "schema-plugin-field",
			},
			Before: "return { no_consumer = true, fields = { key = { type = \"string\", required = true } } }\n",
			After: "local typedefs = require \"kong.db.schema.typedefs\"\nreturn { name = \"tokens\", fields = {\n" +
				"  { consumer = typedefs.no_consumer },\n  { config = { type = \"record\", fields = {\n" +
				"    { key = { type = \"string\", required = true } },\n  } } },\n} }\n"},
		{Title: "Return a list of entities from daos.lua", rules: []string{"daos-map", "daos-entity", "daos-attribute"},
			Before: "return { tokens = { primary_key = { \"id\" }, table = \"tokens\",\n" +
				"  fields = { id = { type = \"id\" } } } }\n",
			After: "local typedefs = require \"kong.db.schema.typedefs\"\n" +
				"return { { name = \"tokens\", primary_key = { \"id\" }, fields = { { id = typedefs.uuid } } } }\n"},
		{Title: "Write one file per migration, and list them in migrations/init.lua",
			rules:  []string{"migrations-legacy"},
			Before: "-- migrations/postgres.lua\nreturn { { name = \"2016_init\", up = [[ ... ]], down = [[ ... ]] } }\n",
			After: "-- migrations/init.lua\nreturn { \"000_base\" }\n-- migrations/000_base.lua\n" +
				"return { postgres = { up = [[ CREATE TABLE IF NOT EXISTS ... ]] } }\n"},
		{Title: "Remove the parts for Cassandra, and the parts that undo a migration",
			rules:  []string{"migration-cassandra", "migration-field", "migration-empty"},
			Before: "return { postgres = { up = [[ ... ]], down = [[ ... ]] }, cassandra = { up = [[ ... ]] } }\n",
			After:  "return { postgres = { up = [[ ... ]] } }\n"},
	}
}

// portingSigns are the rules that only a plugin for an older Kong breaks.
var portingSigns = []string{
	"module-base-plugin", "module-removed", "schema-legacy", "schema-removed-attribute", "daos-map", "migrations-legacy",
	"migration-cassandra",
}

// Porting returns the steps to port a plugin to a newer Kong, from its findings. It returns nil for a plugin that was
// written for this Kong.
func Porting(findings []Finding) []PortingStep {
	isError := func(f Finding) bool { return f.Severity == Error }
	isSign := func(f Finding) bool { return isError(f) && slices.Contains(portingSigns, f.Rule) }
	if !slices.ContainsFunc(findings, isSign) {
		return nil
	}
	var steps []PortingStep
	for _, step := range portingSteps() {
		for _, finding := range findings {
			place := finding.Place()
			if place == "" {
				place = "plugin"
			}
			if isError(finding) && slices.Contains(step.rules, finding.Rule) && !slices.Contains(step.Places, place) {
				step.Places = append(step.Places, place)
			}
		}
		if len(step.Places) > 0 {
			step.rules = nil
			steps = append(steps, step)
		}
	}
	return steps
}
