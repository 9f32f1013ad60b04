package checks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/checks"
)

// hostileFiles are files that make checks without limits run for minutes, or overflow the stack.
func hostileFiles() map[string]struct{ file, content string } {
	const many = 10_000
	numbered := func(format string) string {
		var text strings.Builder
		for i := range many {
			text.WriteString(strings.ReplaceAll(format, "%", fmt.Sprint(i)))
		}
		return text.String()
	}
	record := `local r = { type = "record", fields = { { a = { type = "string" } } } } `
	deeper := `r = { type = "record", fields = { { a = r }, { b = r } } } `
	schema := `return { name = "tokens", fields = { { config = r } } }`
	entities := `local f = { ` + numbered(`{ f% = { type = "string" } }, `) + `} `
	return map[string]struct{ file, content string }{
		"a record in itself": {"schema.lua", record + `r.fields[2] = { a = r } ` + schema},
		"fields in themselves": {"schema.lua",
			`local f = {} f[1] = { config = { type = "record", fields = f } } return { name = "tokens", fields = f }`},
		"elements in themselves":   {"schema.lua", `local r = { type = "array" } r.elements = r ` + schema},
		"records twice in records": {"schema.lua", record + strings.Repeat(deeper, 60) + schema},
		"a deep record":            {"schema.lua", record + strings.Repeat(deeper, many) + schema},
		"a deep record to a function": {"schema.lua",
			record + strings.Repeat(deeper, many) + `f(r) ` + schema},
		"one record in many fields": {"schema.lua",
			`local r = { ` + numbered(`a% = 1, `) + `} return { name = "tokens", fields = { ` +
				strings.Repeat(`r, `, many) + `} }`},
		"one config in many fields": {"schema.lua",
			`local r = { config = {} } return { fields = { ` + strings.Repeat(`r, `, many) + `} }`},
		"one list of fields in many entities": {"daos.lua", entities + `return { ` +
			strings.Repeat(`{ name = "t", primary_key = { "id" }, fields = f }, `, many) + `}`},
		"one entity many times": {"daos.lua", entities + `local e = { name = "t", primary_key = { "id" }, fields = f } ` +
			`return { ` + strings.Repeat(`e, `, many) + `}`},
		"a long list": {"migrations/init.lua", `local l = {} ` + numbered(`l[#l + 1] = "m%" `) + `return l`},
		"a list that becomes shorter": {"migrations/init.lua",
			`local l = { ` + numbered(`"m%", `) + `} ` + strings.Repeat(`l[#l] = nil `, many) + `return l`},
		"many statements": {"migrations/000_base.lua",
			`return { postgres = { up = [[` + strings.Repeat(`DROP TABLE t;`, many) + `]] } }`},
		"one long line of SQL": {"migrations/000_base.lua",
			`return { postgres = { up = [[` + strings.Repeat(`;(`, 20*many) + `]] } }`},
		"open quotes in SQL": {"migrations/000_base.lua",
			`return { postgres = { up = [[` + strings.Repeat(`$a$ $b`, 10*many) + `]] } }`},
		"many attributes": {"schema.lua",
			`return { name = "tokens", fields = {}, ` + numbered(`a% = 1, `) + `}`},
	}
}

// TestHostileFiles checks that hostile files are read in milliseconds, with small summaries. Without the limits, some
// of them take minutes or overflow the stack.
func TestHostileFiles(t *testing.T) {
	for name, test := range hostileFiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			summary := checks.Summarize(test.file, []byte(test.content))
			t.Logf("%d bytes in %v", len(test.content), time.Since(start))
			if size := summary.Size(); size > 1<<20 {
				t.Errorf("the summary has %d bytes", size)
			}
		})
	}
}
