package lua_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/lua"
)

// TestParse checks what Kong's LuaJIT accepts, and its messages for other files (fact K43). test/luajit compares the
// parser with LuaJIT on many more files.
func TestParse(t *testing.T) {
	for name, test := range map[string]struct{ source, want string }{
		"empty":                {"", ""},
		"byte order mark":      {"\xef\xbb\xbfreturn 1", ""},
		"shebang":              {"#!/usr/bin/lua\nreturn 1", ""},
		"both":                 {"\xef\xbb\xbf#!x", ""},
		"CRLF":                 {"local a\r\nlocal b = 1 << 2", "2: unexpected symbol near '<'"},
		"numbers":              {"return 0xffULL, 42LL, 1i, 0b101, 0x1p4, .5e-3, 1LLU", ""},
		"number with a letter": {"return 5U", "1: malformed number near '5U'"},
		"binary digit":         {"return 0b12", "1: malformed number near '0b12'"},
		"exponent":             {"return 1e", "1: malformed number near '1e'"},
		"escapes":              {`return "\x41\z` + "\n" + `  b\u{48}\065\` + "\n" + `"`, ""},
		"bad escape":           {`return "\q"`, `1: invalid escape sequence near '\q'`},
		"large escape":         {`return "\256"`, `1: invalid escape sequence near '\256'`},
		"surrogate":            {`return "\u{d800}"`, `1: invalid escape sequence near '\u{'`},
		"null byte":            {"return \"a\x00b\" --\x00", ""},
		"Latin-1":              {"-- caf\xe9\nlocal caf\xe9 = 1 return caf\xe9", ""},
		"semicolons":           {";;local a = 1;;", ""},
		"break in the middle":  {"while true do break; local a = 1 end", ""},
		"goto":                 {"goto a; ::a::", ""},
		"goto as name":         {"local goto = 1", "1: '<name>' expected near 'goto'"},
		"goto nowhere":         {"\ngoto a", "2: undefined label 'a'"},
		"goto into a scope":    {"goto a; local b; ::a:: print(b)", "1: <goto a> jumps into the scope of local 'b'"},
		"two labels":           {"::a::\n::a::", "2: duplicate label 'a'"},
		"no loop":              {"break", "1: no loop to break"},
		"call on a new line":   {"local f = print\n(f)(1)", ""},
		"unfinished string":    {"return \"a\n", "1: unfinished string near '\"a'"},
		"unfinished table":     {"return {\n1", "2: '}' expected (to close '{' at line 1) near '<eof>'"},
		"unfinished comment":   {"--[[ a", "1: unfinished long comment near '<eof>'"},
		"long bracket":         {"return [=", "1: invalid long string delimiter near '[='"},
		"Lua 5.3":              {"return 1 // 2", "1: unexpected symbol near '/'"},
		"Lua 5.4":              {"local a <const> = 1", "1: unexpected symbol near '<'"},
		"statement":            {"a.b", "1: '=' expected near '<eof>'"},
		"constant":             {"(f()) = 1", "1: syntax error near '='"},
		"vararg":               {"function f() return ... end", "1: cannot use '...' outside a vararg function near '...'"},
		"after return":         {"return 1 local a", "1: '<eof>' expected near 'local'"},
		"many variables":       {strings.Repeat("local a\n", 201), "202: main function has more than 200 local variables"},
		"many upvalues": {locals(61) + "\nfunction f()\n" + strings.ReplaceAll(locals(61), "local ", "") + " end",
			"3: function at line 2 has more than 60 upvalues"},
		"deep": {strings.Repeat("do ", 200) + strings.Repeat("end ", 200), "1: chunk has too many syntax levels"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lua.Parse([]byte(test.source))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// locals declares variables, and sets each of them.
func locals(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "local v%d = 1 ", i)
	}
	return text.String()
}

// TestLimits checks that files which would need much memory or time are neither accepted nor rejected.
func TestLimits(t *testing.T) {
	for name, source := range map[string]string{
		"nodes":   strings.Repeat("a = 1 ", 100_000),
		"chain":   "return a" + strings.Repeat(".b", 300),
		"sum":     "return 1" + strings.Repeat(" + 1", 300),
		"lookups": strings.Repeat("local a ", 199) + strings.Repeat("function f() local b = x end ", 60_000),
		"gotos":   strings.Repeat("goto z ", 30_000) + labels(30_000),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := lua.Parse([]byte(source)); !errors.Is(err, lua.ErrTooLarge) {
				t.Errorf("got %v, want %v", err, lua.ErrTooLarge)
			}
		})
	}
	if _, err := lua.Parse([]byte("\x1bLJ")); !errors.Is(err, lua.ErrBytecode) {
		t.Errorf("got %v, want %v", err, lua.ErrBytecode)
	}
}

func labels(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "::l%d:: a() ", i)
	}
	return text.String()
}

// FuzzParse parses any file. The parser must end, and all positions must be in the file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"#!x\nlocal a <const> = 1", "return 0x1p4, 0b1LL, [==[ x ]==], \"\\u{48}\\z \"", "::a:: goto a",
		"for i = 1, 2 do local f = function(...) return ... end break; end", "return {", "\x1bLJ", "--[==[",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		_, err := lua.Parse(source)
		if syntax, isSyntax := errors.AsType[*lua.SyntaxError](err); isSyntax {
			lines := strings.Count(string(source), "\n") + strings.Count(string(source), "\r") + 1
			if syntax.Pos.Line < 1 || syntax.Pos.Line > syntax.LuaJITLine || syntax.LuaJITLine > lines || syntax.Pos.Column < 1 {
				t.Errorf("the error is at %+v of %d lines", syntax, lines)
			}
		}
	})
}
