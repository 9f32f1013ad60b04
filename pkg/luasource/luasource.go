// Package luasource reads constants from a plugin's Lua files. It parses the files and never runs them, because the
// code in a ConfigMap is untrusted.
package luasource

import (
	"bytes"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// maxFileBytes limits the files that the package parses. No person writes a larger list or handler. The constants of a
// larger file are unknown.
const maxFileBytes = 256 << 10

// ReturnedStrings returns the strings of a file that returns a literal list of strings. The list of migrations has this
// form (fact K2): return { "000_base", "001_next" }. It returns false for every other file, and for invalid Lua. It
// reads at most one string more than limit.
func ReturnedStrings(text []byte, limit int) ([]string, bool) {
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
	fields := table.Fields[:min(len(table.Fields), limit+1)]
	values := make([]string, 0, len(fields))
	for _, field := range fields {
		value, ok := field.Value.(*ast.StringExpr)
		if !ok || field.Key != nil {
			return nil, false
		}
		values = append(values, value.Value)
	}
	return values, true
}

// Version returns the VERSION of a handler, which Kong requires (fact K4). It finds a literal string in the outermost
// statements, in a table ({ VERSION = "1.1.0" }) or in an assignment (DaoTest.VERSION = "1.1.0"). Otherwise it returns
// false.
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

// parseChunk returns the statements of a file, or nil if the parser cannot read it. Kong's LuaJIT reads more than this
// parser, for example 64-bit numbers (fact K43).
func parseChunk(text []byte) []ast.Stmt {
	if len(text) > maxFileBytes {
		return nil
	}
	chunk, err := parse.Parse(bytes.NewReader(text), "")
	if err != nil {
		return nil
	}
	return chunk
}
