package migrationplan

import (
	"fmt"
	"strings"
	"unicode"
)

// Text formats a plan for a terminal. Text from the cluster cannot control the terminal.
func (p Plan) Text() string {
	var text strings.Builder
	write := func(indent int, format string, args ...any) {
		line := strings.Map(withoutControl, fmt.Sprintf(format, args...))
		text.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+line, " ") + "\n")
	}
	write(0, "%s", p.Subject)
	if p.Problem != "" {
		write(2, "no migration runs: %s", p.Problem)
		return text.String()
	}
	write(2, "database %s", p.Database)
	write(2, "%s", p.state())
	for _, plugin := range p.Plugins {
		text.WriteString("\n")
		write(2, "%s", plugin.Release)
		if plugin.IsComputed {
			write(4, "only Kong knows the migrations: Lua code computes the list")
		}
		for i := range plugin.Migrations {
			plugin.Migrations[i].write(write)
		}
	}
	if p.hasTeardown() {
		text.WriteString("\n")
		write(2, "\"kong migrations finish\" waits for older pods that use the database, in all namespaces")
		for _, pods := range p.OlderPods {
			write(4, "in this namespace, %s", pods)
		}
	}
	return text.String()
}

// hasTeardown reports whether something is left to do for "kong migrations finish".
func (p Plan) hasTeardown() bool {
	for _, plugin := range p.Plugins {
		for i := range plugin.Migrations {
			if plugin.Migrations[i].HasTeardown {
				return true
			}
		}
	}
	return false
}

// state says how far the PluginMigration is.
func (p Plan) state() string {
	if p.Phase == "" {
		return fmt.Sprintf("PluginMigration %q, which kongdao creates with the first pod", p.Name)
	}
	return strings.TrimSuffix(fmt.Sprintf("PluginMigration %q is %s: %s", p.Name, p.Phase, p.Message), ": ")
}

// stateTexts say what happens with a migration in a state.
var stateTexts = map[State]string{
	NotExecuted: "runs with \"kong migrations up\"",
	Executed:    "is executed",
	Pending:     "is executed, except for its teardown",
	Edited:      "was executed from another file, and does not run again: kongdao holds the PluginMigration",
}

func (m *Migration) write(write func(indent int, format string, args ...any)) {
	write(4, "%s %s", m.Name, stateTexts[m.State])
	writeSQL(write, m.Up)
	if m.HasUpCode {
		write(6, "and Lua code%s", withTexts(m.UpTexts))
		writeSQL(write, strings.Join(m.UpTexts, "\n"))
	}
	if m.HasTeardown {
		write(6, "and its teardown with \"kong migrations finish\"%s", withTexts(m.TeardownTexts))
		writeSQL(write, strings.Join(m.TeardownTexts, "\n"))
	}
	for _, warning := range m.Warnings {
		write(6, "warning: %s", warning)
	}
}

// withTexts introduces the strings of a function.
func withTexts(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return ", with these strings"
}

// writeSQL writes the lines of SQL without their common indentation.
func writeSQL(write func(indent int, format string, args ...any), sql string) {
	var lines []string
	indentation := -1
	for line := range strings.SplitSeq(strings.ReplaceAll(sql, "\t", "    "), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		lines = append(lines, line)
		own := len(line) - len(strings.TrimLeft(line, " "))
		if indentation < 0 || own < indentation {
			indentation = own
		}
	}
	for _, line := range lines {
		write(8, "%s", line[indentation:])
	}
}

func withoutControl(r rune) rune {
	if unicode.IsControl(r) {
		return '?'
	}
	return r
}
