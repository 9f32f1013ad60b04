package lua

import (
	"math"
	"strconv"
	"strings"
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
