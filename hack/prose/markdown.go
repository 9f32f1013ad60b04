package main

import (
	"regexp"
	"strings"
)

var (
	heading    = regexp.MustCompile(`^#+ +`)
	quote      = regexp.MustCompile(`^\s*> ?`)
	tableRule  = regexp.MustCompile(`^\s*\|[-:| ]+\|?\s*$`)
	definition = regexp.MustCompile(`^\[[^\]]+\]: `)
	tagOnly    = regexp.MustCompile(`^\s*<[^>]+>\s*$`)
	anchor     = regexp.MustCompile(`^(\s*(?:<a [^>]*></a>)+\s*)`)
)

// outputLanguages are the info strings of fences that hold what a program printed.
var outputLanguages = map[string]bool{"text": true, "console": true, "diff": true}

// markdown reads paragraphs, headings, list items and table cells. Fenced code is not prose.
func markdown(doc *document) error {
	inFence, isOutput := false, false
	for i, line := range doc.lines {
		number, trimmed := i+1, strings.TrimSpace(line)
		switch language, ok := strings.CutPrefix(trimmed, "```"); {
		case ok:
			inFence, isOutput = !inFence, outputLanguages[language]
			doc.prose.end()
		case inFence:
			if isOutput {
				doc.data[number] = true
			}
		default:
			doc.markdownLine(line, number)
		}
	}
	return nil
}

func (doc *document) markdownLine(line string, number int) {
	trimmed := strings.TrimSpace(line)
	prefix := ""
	switch {
	case strings.HasPrefix(trimmed, "|"):
		doc.tableRow(line, number)
		return
	case definition.MatchString(line), tagOnly.MatchString(line),
		strings.HasPrefix(trimmed, "{{") && strings.HasSuffix(trimmed, "}}"):
		doc.prose.end()
		return
	case strings.HasPrefix(line, "    ") && len(doc.prose.open.text) == 0:
		return // an indented code block
	case heading.MatchString(line):
		doc.prose.end()
		doc.prose.line(heading.ReplaceAllString(line, ""), number, 1+len(heading.FindString(line)))
		doc.prose.end()
		return
	case quote.MatchString(line):
		prefix = quote.FindString(line)
	case listItem.MatchString(line):
		doc.prose.end()
		prefix = listItem.FindString(line)
	case anchor.MatchString(line):
		prefix = anchor.FindString(line)
	}
	doc.prose.line(line[len(prefix):], number, 1+runes(prefix))
}

// tableRow reads each cell as a block, because neighbouring cells are separate sentences.
func (doc *document) tableRow(line string, number int) {
	doc.prose.end()
	doc.data[number] = true
	if tableRule.MatchString(line) {
		return
	}
	start := 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && (line[i] != '|' || i > 0 && line[i-1] == '\\') {
			continue
		}
		doc.prose.line(line[start:i], number, 1+runes(line[:start]))
		doc.prose.end()
		start = i + 1
	}
}

// plainText reads paragraphs of a text with template actions.
func plainText(doc *document) error {
	for i, line := range doc.lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "  "), strings.HasPrefix(trimmed, "{{") && strings.HasSuffix(trimmed, "}}"):
			doc.messages.end()
		default:
			doc.messages.line(line, i+1, 1)
		}
	}
	return nil
}
