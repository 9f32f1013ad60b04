package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff/lcs"

	"kongdao.io/kongdao/pkg/manifest"
)

// contextLines is the number of unchanged lines before and after a change.
const contextLines = 3

// writeDiff writes a unified diff of each file that has a changed document. The command "patch" can apply it.
func writeDiff(out io.Writer, documents []*manifest.Document, colored bool) error {
	formatLine := lineFormatter(colored)
	for len(documents) > 0 {
		file := documents[0].File
		end := slices.IndexFunc(documents, func(document *manifest.Document) bool { return document.File != file })
		if end < 0 {
			end = len(documents)
		}
		diff, err := newFileDiff(documents[:end])
		if err != nil {
			return err
		}
		for i, hunk := range diff.hunks() {
			text := diff.format(formatLine, hunk)
			if i == 0 {
				text = formatLine("--- "+file) + formatLine("+++ "+file) + text
			}
			if _, err := io.WriteString(out, text); err != nil {
				return err
			}
		}
		documents = documents[end:]
	}
	return nil
}

// fileDiff is the difference between two versions of a file.
type fileDiff struct {
	before, after []string
	// changes are sorted. Their numbers are indexes of lines.
	changes []lcs.Diff
}

// newFileDiff compares the original and the rendered text of the documents of a file. It compares only changed
// documents, because most documents in a large file do not change.
func newFileDiff(documents []*manifest.Document) (fileDiff, error) {
	var diff fileDiff
	for _, document := range documents {
		rendered, err := document.Render()
		if err != nil {
			return fileDiff{}, err
		}
		before, after := splitLines(document.Original()), splitLines(rendered)
		if document.Changed() {
			changes := shift(compareLines(before, after), len(diff.before), len(diff.after))
			diff.changes = append(diff.changes, changes...)
		}
		diff.before, diff.after = append(diff.before, before...), append(diff.after, after...)
	}
	return diff, nil
}

// compareLines splits the texts at lines that each text has exactly once, and compares the parts. The lcs package stops
// its search after 100 changes. Without the split, it would miss matches in a list of many similar Deployments.
func compareLines(before, after []string) []lcs.Diff {
	uniqueBefore, uniqueAfter := uniqueLines(before), uniqueLines(after)
	var changes []lcs.Diff
	i, j := 0, 0 // the start of the parts
	comparePart := func(end, endAfter int) {
		changes = append(changes, shift(lcs.DiffLines(before[i:end], after[j:endAfter]), i, j)...)
	}
	for at, line := range before {
		_, unique := uniqueBefore[line]
		atAfter, uniqueToo := uniqueAfter[line]
		if unique && uniqueToo && atAfter >= j {
			comparePart(at, atAfter)
			i, j = at+1, atAfter+1
		}
	}
	comparePart(len(before), len(after))
	return changes
}

// uniqueLines returns the indexes of the lines that occur exactly once.
func uniqueLines(lines []string) map[string]int {
	count := make(map[string]int, len(lines))
	indexes := make(map[string]int, len(lines))
	for i, line := range lines {
		count[line]++
		indexes[line] = i
	}
	maps.DeleteFunc(indexes, func(line string, _ int) bool { return count[line] > 1 })
	return indexes
}

// shift adds the numbers of the lines before a part to the changes of the part.
func shift(changes []lcs.Diff, before, after int) []lcs.Diff {
	for i := range changes {
		change := &changes[i]
		change.Start, change.End = change.Start+before, change.End+before
		change.ReplStart, change.ReplEnd = change.ReplStart+after, change.ReplEnd+after
	}
	return changes
}

// hunks groups changes whose context lines touch or overlap.
func (d fileDiff) hunks() [][]lcs.Diff {
	var hunks [][]lcs.Diff
	for i, change := range d.changes {
		if i == 0 || change.Start-d.changes[i-1].End > 2*contextLines {
			hunks = append(hunks, nil)
		}
		last := len(hunks) - 1
		hunks[last] = append(hunks[last], change)
	}
	return hunks
}

// format returns the header and the lines of a hunk.
func (d fileDiff) format(formatLine func(string) string, hunk []lcs.Diff) string {
	first, last := hunk[0], hunk[len(hunk)-1]
	leading := min(contextLines, first.Start)
	trailing := min(contextLines, len(d.before)-last.End)
	var text strings.Builder
	write := func(sign string, lines []string) {
		for _, line := range lines {
			text.WriteString(formatLine(sign + line))
		}
	}
	text.WriteString(formatLine(fmt.Sprintf("@@ -%s +%s @@",
		lineRange(first.Start-leading, last.End+trailing), lineRange(first.ReplStart-leading, last.ReplEnd+trailing))))
	at := first.Start - leading
	for _, change := range hunk {
		write(" ", d.before[at:change.Start])
		write("-", d.before[change.Start:change.End])
		write("+", d.after[change.ReplStart:change.ReplEnd])
		at = change.End
	}
	write(" ", d.before[at:last.End+trailing])
	return text.String()
}

// lineRange formats the lines from start to end, which count from 0, as a hunk's header does: "first line,number".
// The lines of an empty range come after the line that it names.
func lineRange(start, end int) string {
	if start == end {
		return fmt.Sprintf("%d,0", start)
	}
	return fmt.Sprintf("%d,%d", start+1, end-start)
}

// splitLines returns the lines without their newlines. If the last line has none, it ends with a remark, as in the
// output of the command "diff".
func splitLines(text []byte) []string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			line += "\n\\ No newline at end of file"
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}
