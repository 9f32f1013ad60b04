package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/term"

	"kongdao.io/kongdao/pkg/manifest"
)

// contextLines is how many unchanged lines a diff shows around a change.
const contextLines = 3

// writeDiff writes a unified diff of each file with a changed document, as
// "patch" can apply it.
func writeDiff(out io.Writer, documents []*manifest.Document, colored bool) error {
	paint := painter(colored)
	for len(documents) > 0 {
		file := documents[0].File
		end := slices.IndexFunc(documents, func(document *manifest.Document) bool { return document.File != file })
		if end < 0 {
			end = len(documents)
		}
		change, err := compare(documents[:end])
		if err != nil {
			return err
		}
		for i, hunk := range change.hunks() {
			text := change.write(paint, hunk)
			if i == 0 {
				text = paint("--- "+file) + paint("+++ "+file) + text
			}
			if _, err := io.WriteString(out, text); err != nil {
				return err
			}
		}
		documents = documents[end:]
	}
	return nil
}

// change is a file before and after, and how one becomes the other.
type change struct {
	old, fresh []string
	codes      []difflib.OpCode
}

// compare looks only into documents that changed: in the large files that a
// cluster gives, most did not.
func compare(documents []*manifest.Document) (change, error) {
	var whole change
	for _, document := range documents {
		injected, err := document.Render()
		if err != nil {
			return change{}, err
		}
		old, fresh := lines(document.Original()), lines(injected)
		codes := []difflib.OpCode{{Tag: 'e', I2: len(old), J2: len(fresh)}}
		if document.Changed() {
			codes = compareLines(old, fresh)
		}
		before, after := len(whole.old), len(whole.fresh)
		for _, code := range codes {
			whole.codes = append(whole.codes, difflib.OpCode{
				Tag: code.Tag, I1: code.I1 + before, I2: code.I2 + before, J1: code.J1 + after, J2: code.J2 + after,
			})
		}
		whole.old, whole.fresh = append(whole.old, old...), append(whole.fresh, fresh...)
	}
	return whole, nil
}

// compareLines finds the changes between lines that both texts have just once:
// the matcher alone takes a time that grows with the square of lines that are
// alike, and in a list of a hundred Deployments most lines are.
func compareLines(old, fresh []string) []difflib.OpCode {
	inOld, inFresh := onlyOnce(old), onlyOnce(fresh)
	var codes []difflib.OpCode
	i, j := 0, 0
	for at, line := range old {
		other, both := inFresh[line]
		if _, once := inOld[line]; !once || !both || other < j {
			continue
		}
		codes = appendChanges(codes, old, fresh, i, at, j, other)
		codes = append(codes, difflib.OpCode{Tag: 'e', I1: at, I2: at + 1, J1: other, J2: other + 1})
		i, j = at+1, other+1
	}
	return appendChanges(codes, old, fresh, i, len(old), j, len(fresh))
}

// onlyOnce yields the lines that are there once, and where.
func onlyOnce(lines []string) map[string]int {
	count := make(map[string]int, len(lines))
	places := make(map[string]int, len(lines))
	for i, line := range lines {
		count[line]++
		places[line] = i
	}
	maps.DeleteFunc(places, func(line string, _ int) bool { return count[line] > 1 })
	return places
}

func appendChanges(codes []difflib.OpCode, old, fresh []string, i1, i2, j1, j2 int) []difflib.OpCode {
	if slices.Equal(old[i1:i2], fresh[j1:j2]) {
		return codes
	}
	for _, code := range difflib.NewMatcherWithJunk(old[i1:i2], fresh[j1:j2], false, nil).GetOpCodes() {
		codes = append(codes, difflib.OpCode{Tag: code.Tag, I1: code.I1 + i1, I2: code.I2 + i1, J1: code.J1 + j1, J2: code.J2 + j1})
	}
	return codes
}

// hunks groups changes that share lines of context.
func (c change) hunks() [][]difflib.OpCode {
	var hunks [][]difflib.OpCode
	near := 0 // the line of the old file up to which the last hunk reaches, with its context
	for _, code := range c.codes {
		if code.Tag == 'e' {
			continue
		}
		if len(hunks) == 0 || code.I1-contextLines > near {
			hunks = append(hunks, nil)
		}
		last := &hunks[len(hunks)-1]
		*last = append(*last, code)
		near = code.I2 + contextLines
	}
	return hunks
}

func (c change) write(paint func(string) string, codes []difflib.OpCode) string {
	first, last := codes[0], codes[len(codes)-1]
	before := min(contextLines, first.I1)
	after := min(contextLines, len(c.old)-last.I2)
	var text strings.Builder
	text.WriteString(paint(fmt.Sprintf("@@ -%s +%s @@",
		span(first.I1-before, last.I2+after-first.I1+before), span(first.J1-before, last.J2+after-first.J1+before))))
	at := first.I1 - before
	for _, code := range codes {
		paintAll(&text, paint, " ", c.old[at:code.I1])
		paintAll(&text, paint, "-", c.old[code.I1:code.I2])
		paintAll(&text, paint, "+", c.fresh[code.J1:code.J2])
		at = code.I2
	}
	paintAll(&text, paint, " ", c.old[at:last.I2+after])
	return text.String()
}

func paintAll(text *strings.Builder, paint func(string) string, sign string, lines []string) {
	for _, line := range lines {
		text.WriteString(paint(sign + line))
	}
}

// span is how a hunk's header names lines: the first one from 1, and how many.
func span(start, length int) string {
	if length == 0 {
		return fmt.Sprintf("%d,0", start)
	}
	return fmt.Sprintf("%d,%d", start+1, length)
}

// lines takes a text apart. The remark of diff stands behind a last line that
// does not end.
func lines(text []byte) []string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			line += "\n\\ No newline at end of file"
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// painter ends lines, and gives them the colours that git does.
func painter(colored bool) func(string) string {
	if !colored {
		return func(line string) string { return line + "\n" }
	}
	return func(line string) string {
		code := ""
		switch {
		case strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ "):
			code = "1"
		case strings.HasPrefix(line, "@@"):
			code = "36"
		case strings.HasPrefix(line, "-"):
			code = "31"
		case strings.HasPrefix(line, "+"):
			code = "32"
		default:
			return line + "\n"
		}
		return "\x1b[" + code + "m" + line + "\x1b[0m\n"
	}
}

// isColored reports whether somebody looks at the output on a terminal and
// has nothing against colours (no-color.org).
func isColored(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
