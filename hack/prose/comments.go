package main

import (
	"regexp"
	"strings"
)

var (
	makeHelp     = regexp.MustCompile(`^(?:[a-z0-9-]+:.*## |##@ )(.*)$`)
	shellMessage = regexp.MustCompile(`\b(?:build_program|die|echo|fail|log|printf)\b[^"#]*"((?:[^"\\]|\\.)*)"`)
	usageEntry   = regexp.MustCompile(`^ {2,}(\S+)  +(\S)`)
	usageName    = regexp.MustCompile(`^ {2,}[A-Z][A-Z0-9_]+$`)
)

// lineComments returns the extractor of a language whose comments begin with marker and end with the line.
func lineComments(marker string) func(*document) error {
	comment := regexp.MustCompile(`(?:^|\s)` + marker + `(?:$|\s)`)
	return func(doc *document) error {
		inUsage := false
		for i, line := range doc.lines {
			number := i + 1
			if span := makeHelp.FindStringSubmatchIndex(line); span != nil && marker == "#" {
				doc.messages.line(line[span[2]:], number, 1+runes(line[:span[2]]))
				doc.messages.endMessage()
				continue
			}
			code := line
			if span := comment.FindStringIndex(line); span != nil && !quoted(line[:span[0]]) {
				code = line[:span[0]]
				if strings.TrimSpace(code) != "" {
					doc.prose.end() // a comment after code begins a paragraph
				}
				inUsage = doc.commentLine(line[span[1]:], number, 1+runes(line[:span[1]]), inUsage)
			} else {
				doc.prose.end()
				inUsage = false
			}
			for _, span := range shellMessage.FindAllStringSubmatchIndex(code, -1) {
				doc.messages.line(code[span[2]:span[3]], number, 1+runes(code[:span[2]]))
				doc.messages.endMessage()
			}
		}
		return nil
	}
}

// commentLine reads one line of a comment. An indented line is code, except for an entry of a usage list ("NAME  text")
// and what continues it. It reports whether the next line can continue that entry.
func (doc *document) commentLine(text string, number, column int, inUsage bool) bool {
	if usageName.MatchString(text) {
		doc.prose.end()
		return true
	}
	span := usageEntry.FindStringSubmatchIndex(text)
	switch {
	case span != nil && (!inUsage || !strings.HasPrefix(text, "      ")):
		doc.prose.end()
		doc.prose.line(text[span[4]:], number, column+runes(text[:span[4]]))
		return true
	case listItem.MatchString(text):
		doc.prose.end()
		marker := listItem.FindString(text)
		doc.prose.line(text[len(marker):], number, column+runes(marker))
		return true
	case strings.HasPrefix(text, "  ") && !inUsage:
		doc.prose.end()
		return false
	case strings.HasPrefix(strings.TrimSpace(text), "shellcheck "):
		doc.prose.end()
		return false
	case !strings.HasPrefix(text, " ") && inUsage:
		doc.prose.end()
		inUsage = false
	}
	doc.prose.line(text, number, column)
	return inUsage && strings.TrimSpace(text) != ""
}

// quoted reports whether the text ends inside of a string.
func quoted(text string) bool {
	return strings.Count(text, `"`)%2 == 1 || strings.Count(text, "'")%2 == 1
}
