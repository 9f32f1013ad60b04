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
	start := v.files.Position(expression.Pos())
	v.doc.messages.open.addWord(placeholder, position{start.Line, start.Column})
	nested := &literalVisitor{doc: &document{}, files: v.files}
	ast.Inspect(expression, nested.visit)
	v.doc.messages.done = append(v.doc.messages.done, nested.doc.messages.done...)
}

var escape = regexp.MustCompile(`\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)`)

// literal adds one string literal to the open message.
func (v *literalVisitor) literal(node *ast.BasicLit) {
	start := v.files.Position(node.Pos())
	text := node.Value[1 : len(node.Value)-1]
	if strings.HasPrefix(node.Value, "`") {
		v.rawLiteral(text, start)
		return
	}
	column, last := start.Column+1, 0
	message := &v.doc.messages
	for _, span := range escape.FindAllStringIndex(text, -1) {
		message.open.addInline(text[last:span[0]], start.Line, column+runes(text[:last]))
		switch text[span[0]:span[1]] {
		case `\n`:
			message.endMessage()
		case `\"`:
			message.open.addWord(`"`, position{start.Line, column + runes(text[:span[0]])})
		case `\t`:
			message.open.addWord(" ", position{start.Line, column + runes(text[:span[0]])})
		}
		last = span[1]
	}
	message.open.addInline(text[last:], start.Line, column+runes(text[:last]))
}

// rawLiteral reads a literal in backquotes. One of several lines is data in a test; elsewhere it is help text, in which
// indented lines are samples.
func (v *literalVisitor) rawLiteral(text string, start token.Position) {
	lines := strings.Split(text, "\n")
	if len(lines) == 1 {
		v.doc.messages.open.add(text, start.Line, start.Column+1)
		return
	}
	for i, line := range lines {
		if i > 0 && i < len(lines)-1 && v.doc.data != nil {
			v.doc.data[start.Line+i] = true
		}
		switch {
		case v.isTest:
		case i > 0 && strings.TrimLeft(line, " \t") != line, strings.TrimSpace(line) == "":
			v.doc.messages.endMessage()
		case i == 0:
			v.doc.messages.line(line, start.Line, start.Column+1)
		default:
			v.doc.messages.line(line, start.Line+i, 1)
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
