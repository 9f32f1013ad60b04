package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// goSource reads comments and string literals of a Go file.
func goSource(doc *document) error {
	files := token.NewFileSet()
	source := strings.Join(doc.lines, "\n")
	file, err := parser.ParseFile(files, doc.path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, group := range file.Comments {
		doc.goComment(files, group)
	}
	isTest := strings.HasSuffix(doc.path, "_test.go") || strings.HasPrefix(doc.path, "test/")
	literals := &literalVisitor{doc: doc, files: files, isTest: isTest}
	ast.Inspect(file, literals.visit)
	return nil
}

var (
	nolint        = regexp.MustCompile(`^nolint:\S+( //)?`)
	directive     = regexp.MustCompile(`^[a-z]+:[a-z]|^line `)
	markerMessage = regexp.MustCompile(`(?:message|description)="([^"]+)"`)
	listItem      = regexp.MustCompile(`^\s*(?:[-*+]|\d+[.)]) +`)
)

// goComment reads one comment group. Indented lines are code, except for list items.
func (doc *document) goComment(files *token.FileSet, group *ast.CommentGroup) {
	item := false
	for _, comment := range group.List {
		start := files.Position(comment.Pos())
		text, block := strings.CutPrefix(comment.Text, "/*")
		if block {
			text = strings.TrimSuffix(text, "*/")
		} else {
			text = strings.TrimPrefix(comment.Text, "//")
		}
		column := 1 + runes(doc.lines[start.Line-1][:start.Column-1]) + 2
		for i, line := range strings.Split(text, "\n") {
			if i > 0 {
				column = 1
			}
			if strings.HasPrefix(strings.TrimSpace(line), "Output:") {
				doc.prose.end()
				return // an example's output follows
			}
			item = doc.goCommentLine(line, start.Line+i, column, item)
		}
	}
	doc.prose.end()
}

// goCommentLine reads one line of a comment, and reports whether the next line can continue a list item.
func (doc *document) goCommentLine(line string, number, column int, item bool) bool {
	text := strings.TrimPrefix(line, " ")
	column += runes(line) - runes(text)
	switch {
	case strings.HasPrefix(text, "+"):
		for _, span := range markerMessage.FindAllStringSubmatchIndex(text, -1) {
			doc.messages.line(text[span[2]:span[3]], number, column+runes(text[:span[2]]))
			doc.messages.end()
		}
		return false
	case column > 1 && text == line && nolint.MatchString(text):
		reason := nolint.ReplaceAllString(text, "")
		doc.prose.line(reason, number, column+runes(text)-runes(reason))
		return false
	case text == line && directive.MatchString(text):
		return false
	case listItem.MatchString(text):
		doc.prose.end()
		marker := listItem.FindString(text)
		doc.prose.line(text[len(marker):], number, column+runes(marker))
		return true
	case strings.TrimSpace(text) == "":
		doc.prose.end()
		return false
	case strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t"):
		if item {
			doc.prose.line(text, number, column)
		} else {
			doc.prose.end()
		}
		return item
	}
	doc.prose.line(text, number, column)
	return false
}
