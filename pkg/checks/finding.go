package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/lua"
)

// Severity says how bad a finding is.
type Severity string

// The severities, from bad to harmless.
const (
	// Error: Kong fails for sure: it does not start or migrate, or it answers requests with errors.
	Error Severity = "error"
	// Warning: Kong may fail, or loses or blocks something.
	Warning Severity = "warning"
	// Note: harmless, but probably not what was meant.
	Note Severity = "note"
)

// rank orders severities: errors first.
func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// IsValid reports whether the severity is one of the three.
func (s Severity) IsValid() bool { return s.rank() >= 0 }

// IsAtLeast reports whether a severity is as bad as another.
func (s Severity) IsAtLeast(other Severity) bool { return s.rank() <= other.rank() }

// Finding is one result of the checks.
type Finding struct {
	// Rule is the ID of the rule.
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// File is the path in the plugin's directory, or "" for the plugin as a whole.
	File string `json:"file,omitempty"`
	// Line and Column start at 1. They are 0 for a file as a whole.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Kong says what Kong does, with its words. It is "" if Kong does nothing.
	Kong string `json:"kong,omitempty"`
	// WayOut says what to do.
	WayOut string `json:"fix"`

	// in are the versions of Kong with the problem, if they are not those of the rule.
	in *versions
	// maxSeverity is the worst severity that the finding can have, or "" for that of the rule.
	maxSeverity Severity
}

// Place returns the file and the line: "handler.lua:3".
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// String returns the finding in one line, without its severity.
func (f Finding) String() string {
	text := f.Message
	if place := f.Place(); place != "" {
		text = place + ": " + text
	}
	if f.Kong != "" {
		text += "; " + f.Kong
	}
	return text + "; " + f.WayOut
}

// at sets the place of a finding.
func (f Finding) at(pos lua.Pos) Finding {
	f.Line, f.Column = pos.Line, pos.Column
	return f
}

// Sort sorts findings by file and line, and removes duplicates.
func Sort(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity.rank(), b.Severity.rank()), strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(findings)
}

// Worst returns the worst severity of some findings, or "" without findings.
func Worst(findings []Finding) Severity {
	worst := Severity("")
	for _, finding := range findings {
		if worst == "" || finding.Severity.IsAtLeast(worst) {
			worst = finding.Severity
		}
	}
	return worst
}
