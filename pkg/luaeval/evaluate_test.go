package luaeval_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

func evaluate(t *testing.T, source string) luaeval.Result {
	t.Helper()
	chunk, err := lua.Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return luaeval.Evaluate(chunk)
}

// describe writes a value in one line: {PRIORITY=1 list={1="a"} ...} with dots for an open table.
func describe(v luaeval.Value, depth int) string {
	text := v.Kind.String()
	switch v.Kind {
	case luaeval.String:
		return fmt.Sprintf("%q", v.Text)
	case luaeval.Number:
		return fmt.Sprint(v.Number)
	case luaeval.Boolean:
		return fmt.Sprint(v.Boolean)
	case luaeval.Module:
		text = "require " + strings.Join(append([]string{v.Module}, v.Path...), " ")
	case luaeval.TableKind:
		text = ""
	}
	if v.Table == nil || depth > 3 || v.Kind != luaeval.TableKind && len(v.Table.Keys()) == 0 {
		return text
	}
	var fields []string
	for _, key := range v.Table.Keys() {
		fields = append(fields, fmt.Sprintf("%v=%s", key, describe(v.Table.Get(key), depth+1)))
	}
	if v.Table.IsOpen {
		fields = append(fields, "...")
	}
	return text + "{" + strings.Join(fields, " ") + "}"
}

func TestEvaluate(t *testing.T) {
	for name, test := range map[string]struct{ source, want, reason string }{
		"literal": {`return { "a", nil, "c", x = 1, ["y z"] = true, [2.5] = 'd', }`,
			`{1="a" 3="c" x=1 y z=true 2.5="d"}`, "nil removes a field"},
		"nothing":      {`local x = 1`, "nil", "require then returns true"},
		"empty":        {``, "nil", ""},
		"explicit nil": {`return nil`, "nil", ""},
		"local":        {`local a, b = "x"; local t = { a, b }; return t`, `{1="x"}`, "a missing value is nil"},
		"fields": {`local H = {} H.VERSION = "1" H.a = { b = 2 } H.a.c = H.a.b return H`,
			`{VERSION="1" a={b=2 c=2}}`, ""},
		"method": {`local H = { P = 1 } function H:access() end function H.b.c() end return H`,
			`{P=1 access=function}`, ""},
		"concatenation": {`local v = 1 return "a" .. v .. ("b" .. 2.0)`, `"a1b2"`, "Lua writes 2.0 as 2"},
		"no integer":    {`return "a" .. 2.5`, "unknown", "the text of fractions is left to Lua"},
		"arithmetic":    {`return { 1000 - 1, 2 * 3, 6 / 4, 1 + 1, -5, 2 ^ 2 }`, `{1=999 2=6 3=1.5 4=2 5=-5 6=unknown}`, ""},
		"64-bit":        {`return 5LL`, "unknown", "its type is cdata (fact K43)"},
		"length": {`local t = {} t[#t + 1] = "a" t[#t + 1] = "b" return t`,
			`{1="a" 2="b"}`, "a common way to write lists"},
		"hole":    {`local t = { 1, nil, 3 } return #t`, "unknown", "the length of a list with holes is not defined"},
		"removed": {`local t = { a = 1, b = 2 } t.a = nil t.b = nil t.a = 3 return t`, `{a=3}`, "nil removes a field"},
		"many fields": {`local t = {} ` + repeat(`t.f%d = 1 `, 20) + repeat(`t.f%d = nil `, 19) + `t[2] = #t return t`,
			`{f19=1 2=0}`, "large tables have an index"},
		"long list": {`local t = {} ` + strings.Repeat(`t[#t + 1] = 1 `, 20_000) + `return { t }`, "unknown",
			"the length of a long list is counted too often: a limit"},
		"module":        {`return { v = require("a.b"), w = require "c".x.y }`, `{v=require a.b w=require c x y}`, ""},
		"own require":   {`local require = require return require("x").v`, "require x v", "a common local variable"},
		"false require": {`local function require() end return require("x")`, "unknown", "it is another function"},
		"set require":   {`require = f return require("x")`, "unknown", "it is another function"},
		"and, or": {`return { false or "a", nil and f(), "b" and "c", not nil, x or "d" }`,
			`{1="a" 3="c" 4=true 5=unknown}`, ""},
		"block":         {`local v = 1 do local v = 2 end do return v end`, "1", ""},
		"call":          {`local H = { V = "1" } f(H) return H`, `{V="1" ...}`, "the function may change the table"},
		"call of inner": {`local t = { a = {} } f(t) return t.a`, "unknown", "the function may set a new table"},
		"other call":    {`local H = { V = "1" } f({}) return H`, `{V="1"}`, "the function cannot reach the table"},
		"closure": {`local v = "1" local function set() v = "2" end f(set) return v`, "unknown",
			"the function may call set"},
		"closure later": {`local v = "1" local function set() v = "2" end f(set) v = "3" g() return v`, "unknown",
			"the function may have kept set"},
		"closure reads": {`local H = { V = "1" } local function get() return H.V end f(get) return H`, `{V="1" ...}`,
			"get may return H, which its caller may change"},
		"shared later": {`local t local function get() return t end f(get) t = { V = 1 } g() return t`, `{V=1 ...}`,
			"the function may have kept get"},
		"own function": {`local v = "1" local function set() v = "2" end set() return v`, "unknown", "no calls are followed"},
		"uncalled":     {`local v = "1" local function set() v = "2" end return v`, `"1"`, "the function never runs before"},
		"method call":  {`local H = Base:extend() H.V = "1" return H`, `unknown{V="1" ...}`, "what the file sets is kept"},
		"metatable":    {`return setmetatable({ V = "1" }, {})`, `{V="1" ...}`, "an index may come from the metatable"},
		"if":           {`local v, w = "1", "2" if x then v = "3" end return { v, w }`, `{1=unknown 2="2"}`, ""},
		"if with table": {`local H = { V = "1" } if x then H.V = "2" end return H`, `{V="1" ...}`,
			"the value may be another"},
		"return in if": {`if x then return 1 end return 2`, "unknown", "the first one may run"},
		"loop":         {`local t = {} for i = 1, 3 do t[i] = i end return t`, `{...}`, ""},
		"goto":         {`::a:: local v = 1 if x then goto a end return v`, "unknown", "statements may run again"},
		"unknown key":  {`local t = { a = 1 } t[x] = 2 return t`, `{a=1 ...}`, ""},
		"last call":    {`return { "a", f() }`, `{1="a" ...}`, "a call can have any number of values"},
		"first call":   {`return { f(), "a" }`, `{1=unknown 2="a"}`, "a call that is not the last has one value"},
		"vararg":       {`local name = ... return { name }`, `{1=unknown}`, ""},
		"global":       {`VERSION = "1" return VERSION`, "unknown", "all code can set it"},
		"cycle":        {`local t = {} t.t = t return t`, `{t={t={t={t=}}}}`, "a table can contain itself"},
		"too long": {`local s = "` + strings.Repeat("x", 1000) + `"` + strings.Repeat(` s = s .. s`, 30) + ` return s`,
			"unknown", "a limit"},
	} {
		t.Run(name, func(t *testing.T) {
			result := evaluate(t, test.source)
			if diff := cmp.Diff(test.want, describe(result.Value, 0)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
		})
	}
}

func TestRequired(t *testing.T) {
	result := evaluate(t, `local a = require "a"
local r = require
r("b.c")
local function f() return require("in.function") end
if x then require "in.if" end
pcall(require, "optional")
require("d" .. "e")
if y then return end
require "after.return"
`)
	var got []string
	for _, required := range result.Required {
		got = append(got, fmt.Sprintf("%d %s %v", required.Pos.Line, required.Module, required.IsCertain))
	}
	slices.Sort(got)
	want := []string{
		"1 a true", "3 b.c true", "4 in.function false", "5 in.if false", "7 de true", "9 after.return false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestConstants keeps what is small of a value.
func TestConstants(t *testing.T) {
	long := strings.Repeat("x", 500_000)
	for name, test := range map[string]struct{ source, want, reason string }{
		"handler": {`local H = { V = "1", P = 1, f = {} } function H:access() end return H`,
			`{V="1" P=1 f={} access=function}`, ""},
		"inner table": {`return { a = { b = 1 } }`, `{a={...}}`, "the fields of inner tables are dropped"},
		"unknown":     {`return { a = f(), b = require "m".v }`, `{a=unknown b=require m v}`, ""},
		"many fields": {`local t = {} ` + repeat(`t.f%d = 1 `, 6) + ` return t`,
			`{f0=1 f1=1 f2=1 f3=1 ...}`, "the limit is 4"},
		"list":      {`return { ` + strings.Repeat(`"x", `, 20_000) + ` }`, `{...}`, "no field has a name"},
		"long text": {`return { a = [[` + long + `]] }`, `{a="` + long[:256] + `"}`, ""},
		"long key":  {`return { ["` + long + `"] = 1 }`, `{...}`, ""},
		"cycle":     {`local t = { a = 1 } t.t = t return t`, `{a=1 t={...}}`, "a table can contain itself"},
	} {
		t.Run(name, func(t *testing.T) {
			const limit, maxBytes = 4, 2000
			limited := evaluate(t, test.source).Value.Constants(limit)
			if diff := cmp.Diff(test.want, describe(limited, 0)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
			if size := limited.Size(); size > maxBytes {
				t.Errorf("%d bytes", size)
			}
		})
	}
}

// repeat formats a text with the numbers from 0.
func repeat(format string, count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// FuzzEvaluate evaluates any file. It must end, and give the same result twice.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		`local H = { PRIORITY = 1, VERSION = "1.0.0" } function H:access() end return H`,
		`local t = {} t[#t + 1] = "a" .. 1 return t`,
		`local f = function() return f end f(f) return setmetatable(f, { f })`,
		`local t = {} t.t = t f(t) t[t.t] = t return t`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		chunk, err := lua.Parse(source)
		if err != nil {
			return
		}
		first := luaeval.Evaluate(chunk).Value
		if again := luaeval.Evaluate(chunk).Value; describe(first, 0) != describe(again, 0) {
			t.Errorf("%s, then %s", describe(first, 0), describe(again, 0))
		}
	})
}
