package main

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// literalVisitor reads the messages among a Go file's string literals.
type literalVisitor struct {
	doc    *document
	files  *token.FileSet
	isTest bool
}

func (v *literalVisitor) visit(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.Field:
		if node.Tag != nil {
			ast.Inspect(node.Type, v.visit)
			return false
		}
	case *ast.BinaryExpr:
		if node.Op != token.ADD {
			return true
		}
		v.concatenation(node)
		v.doc.messages.endMessage()
		return false
	case *ast.BasicLit:
		if node.Kind == token.STRING {
			v.literal(node)
			v.doc.messages.endMessage()
		}
	}
	return true
}

// concatenation reads literals joined by + as one message.
func (v *literalVisitor) concatenation(expression ast.Expr) {
	switch node := expression.(type) {
	case *ast.BinaryExpr:
		if node.Op == token.ADD {
			v.concatenation(node.X)
			v.concatenation(node.Y)
			return
		}
	case *ast.ParenExpr:
		v.concatenation(node.X)
		return
	case *ast.BasicLit:
		if node.Kind == token.STRING {
			v.literal(node)
			return
		}
	}
	v.doc.messages.open.addWord(placeholder, v.position(expression))
	nested := &literalVisitor{doc: &document{lines: v.doc.lines, data: v.doc.data}, files: v.files, isTest: v.isTest}
	ast.Inspect(expression, nested.visit)
	v.doc.messages.done = append(v.doc.messages.done, nested.doc.messages.done...)
}

// position returns the start of a node. The columns of package token count bytes.
func (v *literalVisitor) position(node ast.Node) position {
	start := v.files.Position(node.Pos())
	return position{start.Line, 1 + runes(v.doc.lines[start.Line-1][:start.Column-1])}
}

var escape = regexp.MustCompile(`\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)`)

// literal adds one string literal to the open message.
func (v *literalVisitor) literal(node *ast.BasicLit) {
	start := v.position(node)
	text := node.Value[1 : len(node.Value)-1]
	if strings.HasPrefix(node.Value, "`") {
		v.rawLiteral(text, start)
		return
	}
	column, last := start.column+1, 0
	message := &v.doc.messages
	for _, span := range escape.FindAllStringIndex(text, -1) {
		message.open.add(text[last:span[0]], start.line, column+runes(text[:last]))
		switch text[span[0]:span[1]] {
		case `\n`:
			message.endMessage()
		case `\"`:
			message.open.addWord(`"`, position{start.line, column + runes(text[:span[0]])})
		case `\t`:
			message.open.addWord(" ", position{start.line, column + runes(text[:span[0]])})
		}
		last = span[1]
	}
	message.open.add(text[last:], start.line, column+runes(text[:last]))
}

// rawLiteral reads a literal in backquotes. One of several lines is data in a test; elsewhere it is help text, in which
// indented lines are samples.
func (v *literalVisitor) rawLiteral(text string, start position) {
	lines := strings.Split(text, "\n")
	if len(lines) == 1 {
		v.doc.messages.open.add(text, start.line, start.column+1)
		return
	}
	for i, line := range lines {
		if i > 0 && i < len(lines)-1 {
			v.doc.data[start.line+i] = true
		}
		switch {
		case v.isTest:
		case i > 0 && strings.TrimLeft(line, " \t") != line, strings.TrimSpace(line) == "":
			v.doc.messages.endMessage()
		case i == 0:
			v.doc.messages.line(line, start.line, start.column+1)
		default:
			v.doc.messages.line(line, start.line+i, 1)
		}
	}
}

var word = regexp.MustCompile(`\pL{2,}`)

// endMessage closes the open message, and drops it if it has no two words with a space between them.
func (c *blocks) endMessage() {
	text := strings.TrimSpace(string(c.open.text))
	if !strings.Contains(text, " ") || len(word.FindAllString(text, 2)) < 2 {
		c.open = block{}
	}
	c.end()
}
