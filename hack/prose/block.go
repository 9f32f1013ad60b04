package main

import (
	"regexp"
	"strings"
)

// position is a place in a source file. Lines and columns count from 1, columns in characters.
type position struct{ line, column int }

// block is one paragraph, list item, table cell or message. Its text is on one line, so that rules also match phrases
// that the source breaks over two lines.
type block struct {
	text []rune
	at   []position // where each character of text is in the source
}

func (b *block) add(text string, line, column int) {
	for _, r := range text {
		b.text = append(b.text, r)
		b.at = append(b.at, position{line, column})
		column++
	}
}

// addWord adds a word that replaces source text of the given position, such as an inline code span.
func (b *block) addWord(word string, at position) {
	for _, r := range word {
		b.text = append(b.text, r)
		b.at = append(b.at, at)
	}
}

// blocks collects the lines of paragraphs.
type blocks struct {
	done []block
	open block
}

// line adds one line to the open paragraph.
func (c *blocks) line(text string, line, column int) {
	trimmed := strings.TrimLeft(text, " \t")
	column += len([]rune(text)) - len([]rune(trimmed))
	trimmed = strings.TrimRight(trimmed, " \t\r")
	if trimmed == "" {
		c.end()
		return
	}
	if len(c.open.text) > 0 {
		c.open.addWord(" ", position{line, column})
	}
	c.open.add(trimmed, line, column)
}

// end closes the open paragraph.
func (c *blocks) end() {
	if prose := c.open.withoutCode(); len(prose.text) > 0 {
		c.done = append(c.done, prose)
	}
	c.open = block{}
}

// placeholder replaces text that is not prose. The capital letter lets a sentence begin with it.
const placeholder = "Code"

var (
	inlineCode = "`+[^`]+`+"
	template   = `\{\{.*?\}\}`
	address    = `<?https?://[^\s)>]+>?`
	linkTarget = `\]\([^)\s]*\)|\]\[[^\]]*\]`
	inline     = regexp.MustCompile(inlineCode + "|" + template + "|" + address + "|" + linkTarget)
)

// withoutCode returns the block with inline code, template actions, addresses and the targets of links replaced.
func (b *block) withoutCode() block {
	var prose block
	text, last := string(b.text), 0
	for _, span := range inline.FindAllStringIndex(text, -1) {
		prose.copy(b, runes(text[:last]), runes(text[:span[0]]))
		if !strings.HasPrefix(text[span[0]:], "]") {
			prose.addWord(placeholder, b.at[runes(text[:span[0]])])
		}
		last = span[1]
	}
	prose.copy(b, runes(text[:last]), len(b.text))
	return prose
}

// copy appends a part of another block.
func (b *block) copy(from *block, start, end int) {
	b.text = append(b.text, from.text[start:end]...)
	b.at = append(b.at, from.at[start:end]...)
}

func runes(text string) int { return len([]rune(text)) }
