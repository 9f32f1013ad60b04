package lua

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Number is a number in a file.
type Number struct {
	// Value is the value of an ordinary number.
	Value float64
	// IsCData is true for the types of LuaJIT's FFI: 64-bit integers (1LL) and imaginary numbers (1i). They are not
	// numbers for Lua's type function.
	IsCData bool
}

// readNumber reads a number. As LuaJIT does, it first takes all bytes that can belong to one.
func (l *lexer) readNumber(start Pos) Number {
	from := l.offset
	exponent := 'e'
	if l.peek(0) == '0' && lower(l.peek(1)) == 'x' {
		exponent = 'p'
	}
	for {
		c := l.peek(0)
		isSign := (c == '+' || c == '-') && l.offset > from && lower(int(l.source[l.offset-1])) == int(exponent)
		if !isNameByte(c) && c != '.' && !isSign {
			break
		}
		l.offset++
	}
	text := string(l.source[from:l.offset])
	number, ok := parseNumber(strings.ToLower(text))
	if !ok {
		l.fail(start, text, "malformed number")
	}
	return number
}

// parseNumber returns the value of a number in lower case.
func parseNumber(text string) (Number, bool) {
	digits, isImaginary := strings.CutSuffix(text, "i")
	isInteger64 := false
	if !isImaginary {
		for _, suffix := range []string{"ull", "llu", "ll"} {
			if digits, isInteger64 = strings.CutSuffix(text, suffix); isInteger64 {
				break
			}
		}
	}
	value, isInteger, ok := parseDigits(digits)
	if !ok || isInteger64 && !isInteger {
		return Number{}, false
	}
	return Number{Value: value, IsCData: isImaginary || isInteger64}, true
}

func parseDigits(text string) (value float64, isInteger, ok bool) {
	isValid := func(isDigit func(c int) bool, digits string) bool {
		seen := false
		for i := range len(digits) {
			if digits[i] != '.' && !isDigit(int(digits[i])) {
				return false
			}
			seen = seen || digits[i] != '.'
		}
		return seen && strings.Count(digits, ".") <= 1
	}
	if binary, isBinary := strings.CutPrefix(text, "0b"); isBinary {
		isBit := func(c int) bool { return c == '0' || c == '1' }
		if strings.Contains(binary, ".") || !isValid(isBit, binary) {
			return 0, false, false
		}
		for _, bit := range binary {
			value = value*2 + float64(bit-'0')
		}
		return value, true, true
	}
	digits, isHex := strings.CutPrefix(text, "0x")
	marker, isDigitOfBase := "e", isDigit
	if isHex {
		marker, isDigitOfBase = "p", isHexDigit
	}
	mantissa, exponent, hasExponent := strings.Cut(digits, marker)
	if !isValid(isDigitOfBase, mantissa) {
		return 0, false, false
	}
	if hasExponent {
		unsigned := strings.TrimLeft(exponent, "+-")
		if len(exponent)-len(unsigned) > 1 || unsigned == "" || strings.Trim(unsigned, "0123456789") != "" {
			return 0, false, false
		}
	}
	if isHex && !hasExponent {
		text += "p0" // Go requires the exponent
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil { // the number is valid, and out of range
		value = math.Inf(1)
	}
	return value, !hasExponent && !strings.Contains(mantissa, "."), true
}

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
