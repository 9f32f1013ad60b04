package checks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/checks"
)

func TestStatementsOf(t *testing.T) {
	for name, test := range map[string]struct {
		content, reason string
		want            checks.Statements
	}{
		"SQL": {`return { postgres = { up = "SELECT " .. 1 } }`, "", checks.Statements{Up: "SELECT 1"}},
		"functions": {
			`return { postgres = { up_f = function(c) c:query("DROP TABLE a", "x") end, teardown = function() end } }`,
			"a string of one word is not SQL",
			checks.Statements{HasUpCode: true, HasTeardown: true, UpTexts: []string{"DROP TABLE a"}},
		},
		"computed": {`local sql = f() return { postgres = { up = sql } }`, "", checks.Statements{HasUpCode: true}},
		"unknown": {`return build()`, "only Lua knows what it has",
			checks.Statements{HasUpCode: true, HasTeardown: true}},
		"syntax error": {`return {`, "Kong cannot read it", checks.Statements{HasUpCode: true, HasTeardown: true}},
		"Cassandra": {`return { cassandra = { up = "SELECT 1" } }`, "",
			checks.Statements{HasUpCode: true, HasTeardown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, checks.StatementsOf([]byte(test.content))); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
		})
	}
}
