package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxColumns is the longest line, in characters.
const maxColumns = 120

// limitedExtensions are the types of files whose lines have a limit.
var limitedExtensions = []string{"", ".go", ".gotmpl", ".md", ".sh", ".toml", ".tpl", ".txt", ".yaml", ".yml"}

// checkColumns finds lines that are too long. Tables and literals of several lines have no limit.
func checkColumns(doc *document) []finding {
	if !slices.Contains(limitedExtensions, path.Ext(doc.path)) || strings.Contains(doc.path, "/styles/") {
		return nil // expressions of rules cannot be broken
	}
	var found []finding
	for i, line := range doc.lines {
		columns := runes(line)
		if columns <= maxColumns || doc.data[i+1] || isUnbreakable(line) {
			continue
		}
		found = append(found, finding{
			path: doc.path, position: position{i + 1, maxColumns + 1}, rule: "LineLength",
			message: fmt.Sprintf("the line has %d columns: break it at %d", columns, maxColumns),
		})
	}
	return found
}

// marker is a comment that a tool reads as one line.
var marker = regexp.MustCompile(`^\s*//(?: ?\+|go:|nolint:)`)

// isUnbreakable reports whether a line is one long word, such as an address, or a marker for a tool.
func isUnbreakable(line string) bool {
	fields := strings.Fields(strings.TrimLeft(line, " \t#/*-"))
	return len(fields) == 1 || len(fields) == 2 && strings.Contains(fields[1], "://") || marker.MatchString(line)
}

// factsPage defines every fact that the project cites.
const factsPage = "docs/facts.md"

var (
	fact           = regexp.MustCompile(`\b[KVPW]\d{1,2}\b`)
	factDefinition = regexp.MustCompile(
		`(?m)^(?:#+ |- |\* |\| ?)?(?:<a (?:id|name)="[^"]*"></a> ?)?[*#]*(?:Fact )?([KVPW]\d{1,2})\b`)
)

// definedFacts returns the numbers of the facts that the page defines, each at the beginning of a line.
func definedFacts(root string) (map[string]bool, error) {
	content, err := os.ReadFile(filepath.Join(root, factsPage)) //nolint:gosec // a page of the checked tree
	if err != nil {
		return nil, err
	}
	defined := map[string]bool{}
	for _, match := range factDefinition.FindAllStringSubmatch(string(content), -1) {
		defined[match[1]] = true
	}
	return defined, nil
}

// checkFacts finds citations of facts that are not defined.
func checkFacts(doc *document, defined map[string]bool) []finding {
	var found []finding
	for _, block := range slices.Concat(doc.prose.done, doc.messages.done) {
		text := string(block.text)
		for _, span := range fact.FindAllStringIndex(text, -1) {
			number := text[span[0]:span[1]]
			if defined[number] {
				continue
			}
			found = append(found, finding{
				path: doc.path, position: block.at[runes(text[:span[0]])], rule: "FactDefined",
				message: fmt.Sprintf("%s does not define fact %s: cite a fact that it defines, or add it there", factsPage, number),
			})
		}
	}
	return found
}
