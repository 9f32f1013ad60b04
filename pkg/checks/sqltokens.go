package checks

import (
	"strings"
)

// statement is one SQL statement: its words, without comments.
type statement struct {
	words []word
	// line is the number of line breaks before the statement, and column is its place in the line, from 0.
	line, column int
}

// word is a token of a statement: a keyword or name, a quoted name, a string, or one other character.
type word struct {
	// text is in upper case for keywords and names, and without quotes for quoted names.
	text     string
	isQuoted bool
	// body is the content of a string in dollar quotes.
	body string
}

// maxStatements limits the statements of one migration that are read.
const maxStatements = 500

// sqlLexer splits SQL into statements, as PostgreSQL does.
type sqlLexer struct {
	text       string
	offset     int
	line       int
	lineStart  int
	statements []statement
	current    statement
}

// splitSQL returns the statements of a text.
func splitSQL(text string) []statement {
	l := &sqlLexer{text: text}
	for l.offset < len(l.text) && len(l.statements) < maxStatements {
		l.next()
	}
	l.endStatement()
	return l.statements
}

func (l *sqlLexer) endStatement() {
	if len(l.current.words) > 0 {
		l.statements = append(l.statements, l.current)
	}
	l.current = statement{}
}

func (l *sqlLexer) add(w word) {
	if len(l.current.words) == 0 {
		l.current.line = l.line
		l.current.column = l.offset - l.lineStart
	}
	l.current.words = append(l.current.words, w)
}

func (l *sqlLexer) next() {
	rest := l.text[l.offset:]
	switch c := rest[0]; {
	case c == '\n':
		l.offset++
		l.line, l.lineStart = l.line+1, l.offset
	case strings.HasPrefix(rest, "--"):
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		l.offset += end
	case strings.HasPrefix(rest, "/*"):
		l.skip(commentLength(rest))
	case c == ';':
		l.endStatement()
		l.offset++
	case c == '\'':
		l.add(word{text: "''", isQuoted: true})
		hasEscapes := l.offset > 0 && (l.text[l.offset-1] == 'E' || l.text[l.offset-1] == 'e')
		l.skip(quotedLength(rest, c, hasEscapes))
	case c == '"':
		length := quotedLength(rest, c, false)
		l.add(word{text: strings.Trim(rest[:length], `"`), isQuoted: true})
		l.skip(length)
	case c == '$' && dollarTag(rest) != "":
		l.readDollar(rest, dollarTag(rest))
	case isWordByte(c):
		length := 1
		for length < len(rest) && isWordByte(rest[length]) {
			length++
		}
		l.add(word{text: strings.ToUpper(rest[:length])})
		l.offset += length
	case c == ' ' || c == '\t' || c == '\r':
		l.offset++
	default:
		l.add(word{text: rest[:1]})
		l.offset++
	}
}

// skip moves on, and counts the line breaks.
func (l *sqlLexer) skip(length int) {
	skipped := l.text[l.offset : l.offset+length]
	if last := strings.LastIndexByte(skipped, '\n'); last >= 0 {
		l.line, l.lineStart = l.line+strings.Count(skipped, "\n"), l.offset+last+1
	}
	l.offset += length
}

func (l *sqlLexer) readDollar(rest, tag string) {
	body := rest[len(tag):]
	length := len(rest)
	if end := strings.Index(body, tag); end >= 0 {
		body, length = body[:end], end+2*len(tag)
	}
	l.add(word{text: "$$", isQuoted: true, body: body})
	l.skip(length)
}

// dollarTag returns the opening quote of a string in dollar quotes: "$$" or "$tag$".
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '$':
			return text[:i+1]
		case !isWordByte(text[i]) || i == 1 && text[i] >= '0' && text[i] <= '9':
			return ""
		}
	}
	return ""
}

// commentLength returns the length of a comment, which can contain others.
func commentLength(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// quotedLength returns the length of a quoted text. A double quote is part of the text.
func quotedLength(text string, quote byte, hasEscapes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case hasEscapes && text[i] == '\\':
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// starts reports whether the statement starts with some keywords.
func (s statement) starts(keywords ...string) bool { return s.at(0, keywords...) }

// at reports whether some keywords are at an index.
func (s statement) at(index int, keywords ...string) bool {
	if index < 0 || index+len(keywords) > len(s.words) {
		return false
	}
	for i, keyword := range keywords {
		if w := s.words[index+i]; w.isQuoted || w.text != keyword {
			return false
		}
	}
	return true
}

// find returns the index of some keywords in a row, or -1.
func (s statement) find(keywords ...string) int {
	for i := range s.words {
		if s.at(i, keywords...) {
			return i
		}
	}
	return -1
}

func (s statement) has(keywords ...string) bool { return s.find(keywords...) >= 0 }

// nameAfter returns the name of a table or index after an index, without "IF EXISTS", "ONLY" and the schema.
func (s statement) nameAfter(index int) string {
	name := ""
	for i := index; i < len(s.words); i++ {
		switch w := s.words[i]; {
		case !w.isQuoted && (w.text == "IF" || w.text == "NOT" || w.text == "EXISTS" || w.text == "ONLY"):
		case w.text == "." && !w.isQuoted:
			name = ""
		case name != "":
			return name
		default:
			name = strings.ToLower(w.text)
		}
	}
	return name
}
