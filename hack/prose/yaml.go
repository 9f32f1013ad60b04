package main

import (
	"regexp"
	"strings"
)

var (
	// textKey finds values that users read: alerts, policies and schemas.
	textKey     = regexp.MustCompile(`^(\s*(?:- )?)(?:description|summary|message|help|title): *(.*)$`)
	blockScalar = regexp.MustCompile(`^[|>][-+]?$`)
	yamlComment = regexp.MustCompile(`(?:^|\s)#(?:$|\s)`)
	helmDocs    = regexp.MustCompile(`^-- (?:@\w+ .*)?(?:\([^)]*\) )?`)
	helmComment = regexp.MustCompile(`(?s)\{\{-?\s*/\*(.*?)\*/`)
	jsonKey     = regexp.MustCompile(`"(?:description|title)": "((?:[^"\\]|\\.)*)"`)
)

// yamlText reads comments and the values of textKey, also in Helm templates.
func yamlText(doc *document) error {
	reader := &yamlReader{doc: doc, textIndent: -1}
	for i, line := range doc.lines {
		if reader.continuesText(line, i+1) || reader.startsText(line, i+1) || reader.isComment(line, i+1) {
			continue
		}
		doc.prose.end()
		reader.inUsage = false
	}
	doc.messages.endMessage()
	doc.helmComments()
	return nil
}

// yamlReader reads YAML line by line, because Helm templates are not valid YAML.
type yamlReader struct {
	doc *document
	// textIndent is the indentation of the key whose value continues on the next lines, or -1.
	textIndent int
	inUsage    bool
}

// continuesText reads a line that belongs to the value of a text key.
func (r *yamlReader) continuesText(line string, number int) bool {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if r.textIndent >= 0 && (strings.TrimSpace(line) == "" || indent > r.textIndent) {
		r.doc.messages.line(line, number, 1)
		return true
	}
	r.textIndent = -1
	r.doc.messages.endMessage()
	return false
}

// startsText reads a line with a text key.
func (r *yamlReader) startsText(line string, number int) bool {
	span := textKey.FindStringSubmatchIndex(line)
	if span == nil {
		return false
	}
	if value := line[span[4]:]; !blockScalar.MatchString(value) {
		r.doc.messages.line(strings.Trim(value, `"'`), number, 1+runes(line[:span[4]]))
	}
	r.textIndent = span[3] - span[2]
	return true
}

// isComment reads a line with a comment.
func (r *yamlReader) isComment(line string, number int) bool {
	span := yamlComment.FindStringIndex(line)
	if span == nil || quoted(line[:span[0]]) {
		return false
	}
	if strings.TrimSpace(line[:span[0]]) != "" {
		r.doc.prose.end() // a comment after a value begins a paragraph
	}
	text := line[span[1]:]
	marker := helmDocs.FindString(text)
	column := 1 + runes(line[:span[1]]) + runes(marker)
	r.inUsage = r.doc.commentLine(text[len(marker):], number, column, r.inUsage)
	return true
}

// helmComments reads the comments of a template's own language.
func (doc *document) helmComments() {
	source := strings.Join(doc.lines, "\n")
	for _, span := range helmComment.FindAllStringSubmatchIndex(source, -1) {
		doc.prose.end()
		number := 1 + strings.Count(source[:span[2]], "\n")
		column := 1 + runes(source[strings.LastIndex(source[:span[2]], "\n")+1:span[2]])
		for i, line := range strings.Split(source[span[2]:span[3]], "\n") {
			if i > 0 {
				column = 1
			}
			doc.prose.line(line, number+i, column)
		}
		doc.prose.end()
	}
}

// jsonText reads descriptions and titles, which schemas and dashboards show.
func jsonText(doc *document) error {
	for i, line := range doc.lines {
		for _, span := range jsonKey.FindAllStringSubmatchIndex(line, -1) {
			doc.messages.line(line[span[2]:span[3]], i+1, 1+runes(line[:span[2]]))
			doc.messages.endMessage()
		}
	}
	return nil
}
