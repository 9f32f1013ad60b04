package checks

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

// checkSQL checks the SQL of a migration outside its teardown. Old pods use the tables while "up" runs, and until all
// pods have the new release (fact K12). Kong may run a migration again (fact K29).
func checkSQL(postgres *luaeval.Table) []Finding {
	var findings []Finding
	created := map[string]bool{}
	check := func(text string, start lua.Pos) {
		if strings.Contains(text, "\x00") {
			findings = append(findings, Finding{Rule: "sql-null-byte", Message: "the SQL has a null byte",
				Kong: `"kong migrations up" fails: "invalid null byte in query"`, WayOut: "remove the null byte",
			}.at(start))
		}
		for _, s := range splitSQL(text) {
			for _, finding := range checkStatement(s, created) {
				if len(findings) < maxFindings {
					findings = append(findings, finding.at(s.position(start)))
				}
			}
		}
	}
	if up := postgres.Get("up"); up.Kind == luaeval.String {
		check(up.Text, up.TextPos)
	}
	if function := postgres.Get("up_f").Function; function != nil {
		lua.Walk(function.Body, func(node any) bool {
			call, isCall := node.(*lua.Call)
			if isCall && call.Method == "query" && len(call.Arguments) > 0 {
				if argument, isConstant := call.Arguments[0].(*lua.Constant); isConstant {
					text, _ := argument.Value.(string)
					check(text, argument.TextPos)
				}
			}
			return true
		})
	}
	return findings
}

// position returns the position of the statement in a file, from that of the text.
func (s statement) position(start lua.Pos) lua.Pos {
	if s.line == 0 {
		return lua.Pos{Line: start.Line, Column: start.Column + s.column}
	}
	return lua.Pos{Line: start.Line + s.line, Column: s.column + 1}
}

// checkStatement checks one statement. It adds the tables that the statement creates to created.
func checkStatement(s statement, created map[string]bool) []Finding {
	switch {
	case s.starts("DO"):
		return checkDo(s, created)
	case s.starts("CREATE"):
		return checkCreate(s, created)
	case s.starts("ALTER", "TABLE"):
		return checkAlter(s, created)
	case s.starts("DROP"):
		return checkDrop(s)
	case s.starts("TRUNCATE"), s.starts("DELETE") && !s.has("WHERE"):
		return []Finding{breaksOldPods("sql-truncate", "the statement deletes all rows, which old pods still use")}
	case s.starts("INSERT") && !s.has("CONFLICT") && !s.has("WHERE"):
		return []Finding{notIdempotent("INSERT", "ON CONFLICT DO NOTHING")}
	}
	return nil
}

// checkDo checks the statements in a DO block. Its author handles what already exists, usually with EXCEPTION.
func checkDo(s statement, created map[string]bool) []Finding {
	var findings []Finding
	for _, w := range s.words {
		for _, inner := range splitSQL(w.body) {
			inner.words = withoutBlockKeywords(inner.words)
			for _, finding := range checkStatement(inner, created) {
				if finding.Rule != "sql-not-idempotent" {
					findings = append(findings, finding)
				}
			}
		}
	}
	return findings
}

// withoutBlockKeywords removes what is before a statement in a block: BEGIN, or a condition up to THEN.
func withoutBlockKeywords(words []word) []word {
	for i, w := range slices.Backward(words) {
		if !w.isQuoted && (w.text == "BEGIN" || w.text == "THEN" || w.text == "ELSE") {
			return words[i+1:]
		}
	}
	return words
}

func checkCreate(s statement, created map[string]bool) []Finding {
	switch {
	case s.starts("CREATE", "TABLE"):
		created[s.nameAfter(2)] = true
		if !s.has("IF", "NOT", "EXISTS") {
			return []Finding{notIdempotent("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")}
		}
	case s.has("INDEX") && s.find("INDEX") <= 2:
		return checkCreateIndex(s, created)
	case s.starts("CREATE", "SEQUENCE"), s.starts("CREATE", "SCHEMA"), s.starts("CREATE", "EXTENSION"):
		if !s.has("IF", "NOT", "EXISTS") {
			return []Finding{notIdempotent(s.words[0].text+" "+s.words[1].text, "IF NOT EXISTS")}
		}
	case s.starts("CREATE", "FUNCTION"), s.starts("CREATE", "VIEW"):
		return []Finding{notIdempotent("CREATE "+s.words[1].text, "CREATE OR REPLACE "+s.words[1].text)}
	}
	return nil
}

func checkCreateIndex(s statement, created map[string]bool) []Finding {
	var findings []Finding
	if !s.has("IF", "NOT", "EXISTS") {
		findings = append(findings, notIdempotent("CREATE INDEX", "CREATE INDEX IF NOT EXISTS"))
	}
	table := s.nameAfter(s.find("ON") + 1)
	if created[table] {
		return findings // the table is new, so it is empty
	}
	if s.starts("CREATE", "UNIQUE") {
		findings = append(findings, uniqueFinding("the unique index fails if rows of the table are equal"))
	}
	if !s.has("CONCURRENTLY") {
		findings = append(findings, Finding{Rule: "sql-lock",
			Message: fmt.Sprintf("CREATE INDEX blocks all writes to the table %q while it runs", table),
			WayOut: "create the index in up_f or teardown, which run without a transaction: " +
				`connector:query("CREATE INDEX CONCURRENTLY IF NOT EXISTS ...")`,
		})
	}
	return findings
}

func uniqueFinding(message string) Finding {
	return Finding{Rule: "sql-unique", Message: message, Kong: `"kong migrations up" fails then`,
		WayOut: "remove duplicate rows in an earlier release, or check the data before"}
}

func checkAlter(s statement, created map[string]bool) []Finding {
	if created[s.nameAfter(2)] {
		return nil
	}
	var findings []Finding
	for i := range s.words {
		switch {
		case s.at(i, "RENAME"):
			findings = append(findings, breaksOldPods("sql-rename", "old pods use the old name"))
		case s.at(i, "DROP", "COLUMN"), s.at(i, "DROP", "IF"):
			findings = append(findings, breaksOldPods("sql-drop", "old pods still use the column"))
			if s.at(i, "DROP", "COLUMN") && !s.at(i+2, "IF", "EXISTS") {
				findings = append(findings, notIdempotent("DROP COLUMN", "DROP COLUMN IF EXISTS"))
			}
		case s.at(i, "TYPE"):
			findings = append(findings, breaksOldPods("sql-type", "old pods still use the old type, and PostgreSQL may "+
				"rewrite and lock the table"))
		case s.at(i, "SET", "NOT", "NULL"):
			findings = append(findings, breaksOldPods("sql-not-null", "old pods still insert rows without the column"))
		case s.at(i, "ADD", "CONSTRAINT") && s.has("UNIQUE"), s.at(i, "ADD", "UNIQUE"):
			findings = append(findings, uniqueFinding("the constraint fails if rows of the table are equal"))
		case s.at(i, "ADD") && !s.at(i, "ADD", "CONSTRAINT") && !s.at(i, "ADD", "PRIMARY"):
			findings = append(findings, checkAddColumn(s, i)...)
		}
	}
	return findings
}

// checkAddColumn checks the part of a statement that adds a column, from the keyword ADD.
func checkAddColumn(s statement, add int) []Finding {
	end, depth := add+1, 0
	for ; end < len(s.words); end++ {
		switch s.words[end].text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 && s.words[end].text == "," {
			break
		}
	}
	part := statement{words: s.words[add:end]}
	var findings []Finding
	if !part.has("IF", "NOT", "EXISTS") {
		findings = append(findings, notIdempotent("ADD COLUMN", "ADD COLUMN IF NOT EXISTS"))
	}
	isRequired := false
	for i := range part.words {
		isRequired = isRequired || part.at(i, "NOT", "NULL")
	}
	if isRequired && !part.has("DEFAULT") {
		finding := breaksOldPods("sql-not-null", "old pods still insert rows without the column, and the statement fails if "+
			"the table has rows")
		finding.WayOut = "add DEFAULT, or add the column without NOT NULL and set it in teardown"
		findings = append(findings, finding)
	}
	return findings
}

func checkDrop(s statement) []Finding {
	if !s.starts("DROP", "TABLE") && !s.starts("DROP", "VIEW") && !s.starts("DROP", "SCHEMA") {
		return nil
	}
	findings := []Finding{breaksOldPods("sql-drop", "old pods still use what the statement drops")}
	if !s.has("IF", "EXISTS") {
		findings = append(findings, notIdempotent("DROP", "DROP ... IF EXISTS"))
	}
	return findings
}

// breaksOldPods is the finding for a statement that old pods cannot live with.
func breaksOldPods(rule, message string) Finding {
	return Finding{Rule: rule, Message: message,
		Kong:   "requests to old pods can answer 500 until the rollout is complete",
		WayOut: "move the statement to teardown, which runs when no old pod is left"}
}

func notIdempotent(what, instead string) Finding {
	return Finding{Rule: "sql-not-idempotent",
		Message: what + " fails if the migration runs again, as it does after an interruption",
		WayOut:  "write " + instead}
}
