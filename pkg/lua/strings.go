package lua

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readString reads a string in quotes.
func (l *lexer) readString(start Pos) string {
	from, quote := l.offset, l.peek(0)
	l.offset++
	var text strings.Builder
	for {
		switch c := l.peek(0); c {
		case quote:
			l.offset++
			return text.String()
		case -1:
			l.fail(start, "<eof>", "unfinished string")
		case '\n', '\r':
			l.fail(start, string(l.source[from:l.offset]), "unfinished string")
		case '\\':
			l.offset++
			l.readEscape(start, &text)
		default:
			text.WriteByte(l.source[l.offset])
			l.offset++
		}
	}
}

// simpleEscapes are the escapes of one character.
var simpleEscapes = map[int]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '"': '"', '\'': '\'',
}

// readEscape reads what follows a backslash.
func (l *lexer) readEscape(start Pos, text *strings.Builder) {
	c := l.peek(0)
	if simple, isSimple := simpleEscapes[c]; isSimple {
		text.WriteByte(simple)
		l.offset++
		return
	}
	switch {
	case c < 0: // the caller reports the unfinished string
	case c == '\n' || c == '\r':
		text.WriteByte('\n')
		l.skipNewline()
	case c == 'z':
		l.offset++
		for isSpace(l.peek(0)) {
			if next := l.peek(0); next == '\n' || next == '\r' {
				l.skipNewline()
			} else {
				l.offset++
			}
		}
	case c == 'x' && isHexDigit(l.peek(1)) && isHexDigit(l.peek(2)):
		value, _ := strconv.ParseUint(string(l.source[l.offset+1:l.offset+3]), 16, 8)
		text.WriteByte(byte(value))
		l.offset += 3
	case c == 'u' && l.peek(1) == '{':
		l.readUnicode(start, text)
	case isDigit(c):
		l.readDecimal(start, text)
	default:
		l.fail(start, string(l.source[l.offset-1:l.offset+1]), "invalid escape sequence")
	}
}

// readDecimal reads up to three digits, the value of a byte.
func (l *lexer) readDecimal(start Pos, text *strings.Builder) {
	value := 0
	for range 3 {
		if c := l.peek(0); isDigit(c) {
			value = value*10 + c - '0'
			l.offset++
		}
	}
	if value > math.MaxUint8 {
		l.fail(start, "\\"+strconv.Itoa(value), "invalid escape sequence")
	}
	text.WriteByte(byte(value))
}

// readUnicode reads a code point: u{48}.
func (l *lexer) readUnicode(start Pos, text *strings.Builder) {
	from := l.offset + len("u{")
	value := rune(0)
	for l.offset = from; l.peek(0) != '}' || l.offset == from; l.offset++ {
		c := l.peek(0)
		if !isHexDigit(c) {
			l.fail(start, "\\u{", "invalid escape sequence")
		}
		digit, _ := strconv.ParseUint(string(l.source[l.offset:l.offset+1]), 16, 8)
		if value = value*16 + rune(digit); value > utf8.MaxRune {
			l.fail(start, "\\u{", "invalid escape sequence")
		}
	}
	if value >= 0xd800 && value < 0xe000 { // a half of a pair in UTF-16
		l.fail(start, "\\u{", "invalid escape sequence")
	}
	text.WriteRune(value)
	l.offset++
}

// Results of longBracket.
const (
	noBracket = -1 - iota
	unfinishedBracket
)

// longBracket returns the number of "=" in the long bracket at the current offset: 1 for [=[. It returns noBracket for
// a plain "[", and unfinishedBracket for "[=" without the second bracket.
func (l *lexer) longBracket() int {
	level := 0
	for l.peek(1+level) == '=' {
		level++
	}
	switch {
	case l.peek(1+level) == '[':
		return level
	case level == 0:
		return noBracket
	}
	return unfinishedBracket
}

// readLong reads a long string or comment. It returns the content and its position.
func (l *lexer) readLong(start Pos, what string) (content string, contentPos Pos) {
	level := l.longBracket()
	l.offset += level + 2
	l.skipNewline()
	contentPos = l.pos()
	closing := []byte("]" + strings.Repeat("=", level) + "]")
	var text strings.Builder
	for {
		switch c := l.peek(0); {
		case c < 0:
			l.fail(start, string(endOfFile), "unfinished long "+what)
		case c == '\n' || c == '\r':
			text.WriteByte('\n')
			l.skipNewline()
		case c == ']' && bytes.HasPrefix(l.source[l.offset:], closing):
			l.offset += len(closing)
			return text.String(), contentPos
		default:
			text.WriteByte(l.source[l.offset])
			l.offset++
		}
	}
}
