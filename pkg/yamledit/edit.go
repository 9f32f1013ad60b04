package yamledit

import (
	"fmt"
	"slices"
	"strings"
)

// edit replaces the lines first to last of a document, from a column of the first line on. If last is first-1, it
// inserts text before line first. Lines and columns count from 1 and from the start of the document.
type edit struct {
	first, column, last int
	text                string
}

// applyEdits returns the text of the lines with all edits. The edits must be in the order of the lines. New lines end
// as the other lines do.
func applyEdits(lines []string, edits []edit) (string, error) {
	newline := "\n"
	if slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(line, "\r\n") }) {
		newline = "\r\n"
	}
	var text strings.Builder
	done := 0 // the number of lines that are copied or replaced
	for _, edit := range edits {
		start := edit.first - 1
		if start < done || edit.last < start || edit.last > len(lines) {
			return "", fmt.Errorf("line %d has other changes or is not in the text", edit.first)
		}
		text.WriteString(strings.Join(lines[done:start], ""))
		if start > 0 && !strings.HasSuffix(lines[start-1], "\n") {
			text.WriteString(newline)
		}
		if edit.last > start {
			runes := []rune(lines[start])
			if edit.column > len(runes) {
				return "", fmt.Errorf("line %d has no column %d", edit.first, edit.column)
			}
			text.WriteString(string(runes[:edit.column-1]))
		}
		text.WriteString(strings.ReplaceAll(edit.text, "\n", newline))
		done = edit.last
	}
	text.WriteString(strings.Join(lines[done:], ""))
	return text.String(), nil
}
