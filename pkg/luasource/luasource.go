// Package luasource reads plain facts out of a plugin's Lua files. It parses
// and never runs them: a ConfigMap's Lua is somebody else's program.
package luasource

import (
	"bytes"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// largest is the size, in bytes, up to which a file is parsed. A migrations
// list or a handler that is larger is none that a person wrote; its facts are
// then unknown, which callers can live with.
const largest = 256 << 10

// ReturnedStrings yields the strings of a file that returns a literal list of
// them, as a migrations list does (fact K2): return { "000_base", "001_next" }.
// It reports false for any other file, also for one that is not Lua.
func ReturnedStrings(text []byte) ([]string, bool) {
	chunk := parseChunk(text)
	if len(chunk) != 1 {
		return nil, false
	}
	returned, ok := chunk[0].(*ast.ReturnStmt)
	if !ok || len(returned.Exprs) != 1 {
		return nil, false
	}
	table, ok := returned.Exprs[0].(*ast.TableExpr)
	if !ok {
		return nil, false
	}
	values := make([]string, 0, len(table.Fields))
	for _, field := range table.Fields {
		value, ok := field.Value.(*ast.StringExpr)
		if !ok || field.Key != nil {
			return nil, false
		}
		values = append(values, value.Value)
	}
	return values, true
}

// Version yields the string that a handler gives as its VERSION (fact K4), in
// a table ({ VERSION = "1.1.0" }) or by assignment (DaoTest.VERSION =
// "1.1.0"). It reports false where no such string stands in the file's
// outermost statements.
func Version(text []byte) (string, bool) {
	for _, statement := range parseChunk(text) {
		switch statement := statement.(type) {
		case *ast.LocalAssignStmt:
			if version, ok := versionField(statement.Exprs); ok {
				return version, true
			}
		case *ast.ReturnStmt:
			if version, ok := versionField(statement.Exprs); ok {
				return version, true
			}
		case *ast.AssignStmt:
			if version, ok := assignedVersion(statement); ok {
				return version, true
			}
			if version, ok := versionField(statement.Rhs); ok {
				return version, true
			}
		}
	}
	return "", false
}

func assignedVersion(statement *ast.AssignStmt) (string, bool) {
	for i, left := range statement.Lhs {
		attribute, ok := left.(*ast.AttrGetExpr)
		if !ok || !isVersion(attribute.Key) || i >= len(statement.Rhs) {
			continue
		}
		if value, ok := statement.Rhs[i].(*ast.StringExpr); ok {
			return value.Value, true
		}
	}
	return "", false
}

func versionField(values []ast.Expr) (string, bool) {
	for _, value := range values {
		table, ok := value.(*ast.TableExpr)
		if !ok {
			continue
		}
		for _, field := range table.Fields {
			if text, ok := field.Value.(*ast.StringExpr); ok && isVersion(field.Key) {
				return text.Value, true
			}
		}
	}
	return "", false
}

func isVersion(key ast.Expr) bool {
	name, ok := key.(*ast.StringExpr)
	return ok && name.Value == "VERSION"
}

// parseChunk yields the statements of a file, nil for one that the parser does
// not take: LuaJIT reads more (goto, 64-bit numbers) than the parser does.
func parseChunk(text []byte) []ast.Stmt {
	if len(text) > largest {
		return nil
	}
	chunk, err := parse.Parse(bytes.NewReader(text), "")
	if err != nil {
		return nil
	}
	return chunk
}
