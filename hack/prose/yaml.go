package main

import (
	"regexp"
	"strings"
)

var (
	// textKey finds values that users read: alerts, policies and schemas.
	textKey     = regexp.MustCompile(`^(\s*(?:- )?)(?:description|summary|message|help|title): *(.*)$`)
	helmDocs    = regexp.MustCompile(`^-- (?:@\w+ .*)?(?:\([^)]*\) )?`)
	helmComment = regexp.MustCompile(`(?s)\{\{-?\s*/\*(.*?)\*/`)
	jsonKey     = regexp.MustCompile(`"(?:description|title)": "((?:[^"\\]|\\.)*)"`)
)

// yamlText reads comments and the values of textKey, also in Helm templates.
func yamlText(doc *document) error {
	inUsage, indentation := false, -1
	comment := regexp.MustCompile(`(?:^|\s)#(?:$|\s)`)
	for i, line := range doc.lines {
		number, trimmed := i+1, strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if indentation >= 0 && (trimmed == "" || indent > indentation) {
			doc.messages.line(line, number, 1)
			continue
		}
		indentation = -1
		doc.messages.endMessage()
		if span := textKey.FindStringSubmatchIndex(line); span != nil {
			value := line[span[4]:]
			if !regexp.MustCompile(`^[|>][-+]?$`).MatchString(value) {
				doc.messages.line(strings.Trim(value, `"'`), number, 1+runes(line[:span[4]]))
			}
			indentation = span[3] - span[2]
			continue
		}
		if span := comment.FindStringIndex(line); span != nil && !quoted(line[:span[0]]) {
			if strings.TrimSpace(line[:span[0]]) != "" {
				doc.prose.end()
			}
			text := line[span[1]:]
			marker := helmDocs.FindString(text)
			inUsage = doc.commentLine(text[len(marker):], number, 1+runes(line[:span[1]])+runes(marker), inUsage)
			continue
		}
		doc.prose.end()
		inUsage = false
	}
	doc.messages.endMessage()
	doc.helmComments()
	return nil
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
