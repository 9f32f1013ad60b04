package luasource_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/luasource"
)

func TestReturnedStrings(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		want   []string
		ok     bool
		reason string
	}{
		"list": {
			`return { "000_base", "001_next" }`, []string{"000_base", "001_next"}, true, "a list of migrations",
		},
		"comments": {
			"-- first\nreturn { --[[ a ]] \"a\", -- b\n }\n--[==[ end ]==]", []string{"a"}, true, "comments do not matter",
		},
		"separators": {
			`return { "a", 'b'; "c", };`, []string{"a", "b", "c"}, true, "both separators, a trailing separator, a semicolon",
		},
		"long strings": {"return { [[a]], [==[b]==] }", []string{"a", "b"}, true, "every form of string"},
		"escapes":      {`return { "a\98c\"" }`, []string{`abc"`}, true, "escapes are decoded"},
		"parentheses":  {`return ({ ("a") })`, []string{"a"}, true, "parentheses change nothing"},
		"empty list":   {`return {}`, []string{}, true, "an empty list is a list"},
		"order, twice": {`return { "b", "a", "b" }`, []string{"b", "a", "b"}, true, "order and duplicates stay"},
		"at the limit": {`return { "a", "b", "c" }`, []string{"a", "b", "c"}, true, "the limit is three"},
		"over the limit": {
			`return { "a", "b", "c", "d", "e", f }`, []string{"a", "b", "c", "d"}, true, "one more shows that there are more",
		},
		"no list":         {`return "a"`, nil, false, "a string is not a list"},
		"two values":      {`return { "a" }, { "b" }`, nil, false, "require uses one value"},
		"keys":            {`return { a = "a" }`, nil, false, "a table with keys is not a list"},
		"numbered keys":   {`return { [1] = "a" }`, nil, false, "only Lua knows the order"},
		"nested":          {`return { { "a" } }`, nil, false, "a list of lists"},
		"number":          {`return { "a", 1 }`, nil, false, "not all strings"},
		"call":            {`return { "a", tostring(1) }`, nil, false, "only Lua knows the result"},
		"concatenation":   {`return { "a" .. "b" }`, nil, false, "only Lua computes the result"},
		"variable":        {`local a = { "a" } return a`, nil, false, "more than one statement"},
		"require":         {`return require "x"`, nil, false, "only Lua knows the result"},
		"in a function":   {`return (function() return { "a" } end)()`, nil, false, "only Lua knows the result"},
		"in a block":      {`do return { "a" } end`, nil, false, "not plain"},
		"LuaJIT number":   {`return { "a", 1LL }`, nil, false, "the parser does not read it"},
		"Lua 5.3":         {`return { "a" // "b" }`, nil, false, "Kong's Lua has no such operator"},
		"nothing":         {``, nil, false, "no return"},
		"only a comment":  {`-- return { "a" }`, nil, false, "no return"},
		"bare return":     {`return`, nil, false, "returns nothing"},
		"extra text":      {`return { "a" } "b"`, nil, false, "not Lua"},
		"unclosed string": {`return { "a`, nil, false, "not Lua"},
		"unclosed long":   {`return { [[a`, nil, false, "not Lua"},
		"garbage":         {"\x00\xff\x1b[31m", nil, false, "not Lua"},
		"deep":            {"return " + strings.Repeat("{", 100_000), nil, false, "deep nesting does not overflow the stack"},
		"deep, closed": {
			"return " + strings.Repeat("{", 50_000) + strings.Repeat("}", 50_000), nil, false,
			"deep nesting does not overflow the stack",
		},
		"deep calls": {
			"return " + strings.Repeat("f(", 50_000) + strings.Repeat(")", 50_000), nil, false,
			"deep nesting does not overflow the stack",
		},
		"1 MB": {`return { "` + strings.Repeat("a", 1<<20) + `" }`, nil, false, "the file is over the limit"},
		"256 KiB": {
			`return { "a" }` + strings.Repeat(" ", 256<<10-len(`return { "a" }`)), []string{"a"}, true,
			"the file is at the limit",
		},
		"256 KiB and one": {
			`return { "a" }` + strings.Repeat(" ", 256<<10-len(`return { "a" }`)+1), nil, false, "the file is over the limit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := luasource.ReturnedStrings([]byte(test.text), 3)
			if diff := cmp.Diff(test.want, got); ok != test.ok || diff != "" {
				t.Errorf("ok = %v, want %v: %s (-want +got):\n%s", ok, test.ok, test.reason, diff)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for name, test := range map[string]struct{ text, want, reason string }{
		"returned": {`return { PRIORITY = 1, VERSION = "1.1.0" }`, "1.1.0", "in the returned table"},
		"local": {
			"local P = {\n  VERSION = '1.1.0', }\nfunction P:access() end\nreturn P", "1.1.0", "in the handler's table",
		},
		"assigned":          {"local P = {}\nP.VERSION = \"1.1.0\"\nreturn P", "1.1.0", "in an assignment"},
		"assigned by index": {"local P = {}\nP['VERSION'] = \"1.1.0\"\nreturn P", "1.1.0", "the same to Lua"},
		"global":            {"P = { VERSION = '1.1.0' }\nreturn P", "1.1.0", "in the table of a global variable"},
		"several": {
			"local a, b = 1, { VERSION = '1' }\nx, b.VERSION = 1, '2'\nreturn b", "1", "the first one counts",
		},
		"several assigned": {"local b = {}\nx, b.VERSION = 1, '2'\nreturn b", "2", "the value at the same position"},
		"fewer values":     {"local b = {}\nx, b.VERSION = f()\nreturn b", "", "only Lua knows the result"},
		"key in brackets":  {`return { ["VERSION"] = "1" }`, "1", "the same to Lua"},
		"variable":         {`return { VERSION = version }`, "", "only Lua knows the result"},
		"number":           {`return { VERSION = 1.1 }`, "", "Kong wants a string"},
		"lower case":       {`return { version = "1" }`, "", "Kong reads VERSION"},
		"in a function": {
			"local function f() return { VERSION = '1' } end\nreturn {}", "", "not in an outermost statement",
		},
		"in a nested table": {`return { x = { VERSION = "1" } }`, "", "not a field of the handler"},
		"none":              {`return {}`, "", "there is none"},
		"garbage":           {"return {", "", "not Lua"},
		"goto":              {"local P = { VERSION = '1' }\ngoto out\n::out::\nreturn P", "1", "LuaJIT has goto"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := luasource.Version([]byte(test.text))
			if got != test.want || ok != (test.want != "") {
				t.Errorf("Version() = %q, %v; want %q: %s", got, ok, test.want, test.reason)
			}
		})
	}
}

func FuzzLuasource(f *testing.F) {
	for _, seed := range []string{
		`return { "a", [[b]], [==[c]==]; 'd\n\065' };`, "local P = { VERSION = '1' } P.VERSION = '2' return P",
		"return {\"\\", "--[==[", "::a:: goto a", "#!/usr/bin/lua\nreturn {}", "\ufeffreturn {}",
		"return 0x1p4, 1e, 1LL, 'a' .. \"\"", "return {...}", "a.b[c]:d'e'{}.VERSION,f=1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		values, ok := luasource.ReturnedStrings(text, 1000)
		if ok != (values != nil) {
			t.Errorf("ReturnedStrings(%q) = %q, %v; want strings only with true", text, values, ok)
		}
		if version, ok := luasource.Version(text); !ok && version != "" {
			t.Errorf("Version(%q) = %q, false; want \"\" with false", text, version)
		}
		if string(text) != before {
			t.Errorf("the input changed from %q to %q", before, text)
		}
	})
}
