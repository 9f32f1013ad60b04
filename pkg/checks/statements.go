package checks

import (
	"strings"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

// maxStatementTexts limits the strings of a function that Statements has.
const maxStatementTexts = 50

// Statements are what Kong runs for a migration.
type Statements struct {
	// Up is the SQL for "kong migrations up". It is empty if the migration has none, or if only Lua can compute it.
	Up string
	// HasUpCode and HasTeardown report whether the migration has functions for "up" and "finish". UpTexts and
	// TeardownTexts are the strings in these functions that look like SQL.
	HasUpCode, HasTeardown bool
	UpTexts, TeardownTexts []string
}

// StatementsOf reads a file of a migration. It never runs the file.
func StatementsOf(content []byte) Statements {
	unknown := Statements{HasUpCode: true, HasTeardown: true}
	chunk, err := lua.Parse(content)
	if err != nil {
		return unknown
	}
	migration := luaeval.Evaluate(chunk).Value
	postgres := migration.Table.Get("postgres")
	if migration.Kind != luaeval.TableKind || postgres.Kind != luaeval.TableKind || postgres.Table.IsOpen {
		return unknown
	}
	up, code, teardown := postgres.Table.Get("up"), postgres.Table.Get("up_f"), postgres.Table.Get("teardown")
	statements := Statements{
		HasUpCode:   code.Kind != luaeval.Nil || up.Kind != luaeval.Nil && up.Kind != luaeval.String,
		HasTeardown: teardown.Kind != luaeval.Nil,
		UpTexts:     textsIn(code.Function), TeardownTexts: textsIn(teardown.Function),
	}
	if up.Kind == luaeval.String {
		statements.Up = up.Text
	}
	return statements
}

// textsIn returns the strings in a function that have several words.
func textsIn(function *lua.Function) []string {
	if function == nil {
		return nil
	}
	var texts []string
	lua.Walk(function.Body, func(node any) bool {
		constant, isConstant := node.(*lua.Constant)
		if !isConstant {
			return true
		}
		text, isText := constant.Value.(string)
		if isText && len(strings.Fields(text)) > 1 && len(texts) < maxStatementTexts {
			texts = append(texts, text)
		}
		return true
	})
	return texts
}
