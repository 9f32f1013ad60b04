package lua

import (
	"bytes"
	"fmt"
)

// tokenKind is a kind of token. Operators and keywords have their text as kind.
type tokenKind string

const (
	endOfFile   tokenKind = "<eof>"
	nameToken   tokenKind = "<name>"
	numberToken tokenKind = "<number>"
	stringToken tokenKind = "<string>"
)

type token struct {
	kind tokenKind
	pos  Pos
	// endLine is the line on which the token ends.
	endLine int
	// text is the name, or the content of a string, which starts at textPos.
	text    string
	textPos Pos
	// number is the value of a number.
	number Number
	// raw is the text in the file.
	raw []byte
}

// String returns the token as LuaJIT's messages name it.
func (t token) String() string {
	switch t.kind {
	case nameToken, numberToken, stringToken:
		const maxBytes = 60
		if len(t.raw) > maxBytes {
			return string(t.raw[:maxBytes]) + "..."
		}
		return string(t.raw)
	}
	return string(t.kind)
}

// lexer splits a file into tokens. It reports errors by a panic with a *SyntaxError, which Parse recovers.
type lexer struct {
	source []byte
	offset int
	line   int
	// lineStart is the offset of the current line.
	lineStart int
}

// newLexer skips what LuaJIT skips at the beginning: a byte order mark, and a first line that starts with "#".
func newLexer(source []byte) (*lexer, error) {
	l := &lexer{source: source, line: 1}
	l.offset = len(source) - len(bytes.TrimPrefix(source, []byte("\xef\xbb\xbf")))
	l.lineStart = l.offset
	if l.peek(0) == '#' {
		l.skipLine()
		l.skipNewline()
	}
	if l.peek(0) == '\x1b' {
		return nil, ErrBytecode
	}
	return l, nil
}

// peek returns the byte at a distance from the current one, or -1 after the end. A file may contain NUL bytes.
func (l *lexer) peek(distance int) int {
	if l.offset+distance >= len(l.source) {
		return -1
	}
	return int(l.source[l.offset+distance])
}

func (l *lexer) pos() Pos { return Pos{l.line, l.offset - l.lineStart + 1} }

// fail reports an error at the token that started at start.
func (l *lexer) fail(start Pos, near, message string) {
	panic(&SyntaxError{Pos: start, LuaJITLine: l.line, Message: fmt.Sprintf("%s near '%s'", message, near)})
}

// next returns the next token.
func (l *lexer) next() token {
	l.skipSpaceAndComments()
	start, startOffset := l.pos(), l.offset
	t := token{pos: start}
	switch c := l.peek(0); {
	case c < 0:
		t.kind = endOfFile
	case isDigit(c) || c == '.' && isDigit(l.peek(1)):
		t.kind, t.number = numberToken, l.readNumber(start)
	case isNameByte(c):
		for isNameByte(l.peek(0)) {
			l.offset++
		}
		t.kind, t.text = nameToken, string(l.source[startOffset:l.offset])
		if keywords[t.text] {
			t.kind = tokenKind(t.text)
		}
	case c == '"' || c == '\'':
		t.textPos = Pos{start.Line, start.Column + 1}
		t.kind, t.text = stringToken, l.readString(start)
	case c == '[' && l.longBracket() >= 0:
		t.kind = stringToken
		t.text, t.textPos = l.readLong(start, "string")
	default:
		t.kind = l.readOperator(start)
	}
	t.raw, t.endLine = l.source[startOffset:l.offset], l.line
	return t
}

var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "goto": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true,
	"repeat": true, "return": true, "then": true, "true": true, "until": true, "while": true,
}

// readOperator reads the longest operator. LuaJIT has no operators of Lua 5.3, such as // and <<.
func (l *lexer) readOperator(start Pos) tokenKind {
	if l.peek(0) == '[' && l.longBracket() == unfinishedBracket {
		l.fail(start, "[=", "invalid long string delimiter")
	}
	rest := l.source[l.offset:]
	for _, operator := range []string{"...", "..", "==", "<=", ">=", "~=", "::"} {
		if bytes.HasPrefix(rest, []byte(operator)) {
			l.offset += len(operator)
			return tokenKind(operator)
		}
	}
	l.offset++
	return tokenKind(rest[:1])
}

func (l *lexer) skipSpaceAndComments() {
	for {
		switch c := l.peek(0); {
		case c == '\n' || c == '\r':
			l.skipNewline()
		case isSpace(c):
			l.offset++
		case c == '-' && l.peek(1) == '-':
			start := l.pos()
			l.offset += 2
			if l.peek(0) == '[' && l.longBracket() >= 0 {
				l.readLong(start, "comment")
				continue
			}
			l.skipLine()
		default:
			return
		}
	}
}

func (l *lexer) skipLine() {
	for c := l.peek(0); c >= 0 && c != '\n' && c != '\r'; c = l.peek(0) {
		l.offset++
	}
}

// skipNewline skips one line break. Two different bytes of \n and \r together are one line break.
func (l *lexer) skipNewline() {
	first := l.peek(0)
	if first != '\n' && first != '\r' {
		return
	}
	l.offset++
	if second := l.peek(0); second != first && (second == '\n' || second == '\r') {
		l.offset++
	}
	l.line++
	l.lineStart = l.offset
}

func isDigit(c int) bool { return c >= '0' && c <= '9' }

func isHexDigit(c int) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func isSpace(c int) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isNameByte reports whether a name can contain a byte. LuaJIT takes every byte from 0x80 as a letter.
func isNameByte(c int) bool {
	return c == '_' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// lower returns an ASCII letter in lower case.
func lower(c int) int {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
