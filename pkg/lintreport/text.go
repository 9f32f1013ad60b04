package lintreport

import (
	"fmt"
	"strings"
	"unicode"

	"kongdao.io/kongdao/pkg/checks"
)

// colors are the escape codes of the severities.
var colors = map[checks.Severity]string{checks.Error: "31;1", checks.Warning: "33;1", checks.Note: "36;1"}

// text formats the report for people: each finding with its line and a caret, and then the number of findings.
func (r Report) text(isColored bool) []byte {
	w := &textWriter{isColored: isColored}
	for _, plugin := range r.Plugins {
		for _, finding := range plugin.Findings {
			w.finding(plugin, finding)
		}
		w.porting(plugin)
	}
	w.summary(r)
	return []byte(w.text.String())
}

type textWriter struct {
	text      strings.Builder
	isColored bool
}

func (w *textWriter) color(code, text string) string {
	if !w.isColored {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (w *textWriter) finding(plugin Plugin, finding Finding) {
	place := finding.Location
	if place == "" {
		place = fmt.Sprintf("%s (%s)", plugin.name(), plugin.Origin)
	}
	if finding.Line > 0 {
		place += fmt.Sprintf(":%d:%d", finding.Line, finding.Column)
	}
	fmt.Fprintf(&w.text, "%s: %s %s [%s]\n", w.color("1", printable(place)),
		w.color(colors[finding.Severity], string(finding.Severity)+":"), printable(finding.Message), finding.Rule)
	if finding.Source != "" {
		fmt.Fprintf(&w.text, "    %s\n    %s\n", printable(finding.Source),
			w.color(colors[finding.Severity], caret(finding.Source, finding.Column)))
	}
	if finding.Kong != "" {
		fmt.Fprintf(&w.text, "  effect: %s\n", printable(finding.Kong))
	}
	fmt.Fprintf(&w.text, "  fix: %s\n\n", printable(finding.WayOut))
}

// printable replaces the characters that a terminal could run as commands. A plugin can be hostile.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}

// caret returns a "^" under a column of a line. A tab of the line stays a tab, so that the columns agree.
func caret(line string, column int) string {
	var indentation strings.Builder
	for i, c := range line {
		if i >= column-1 {
			break
		}
		if c != '\t' {
			c = ' '
		}
		indentation.WriteRune(c)
	}
	return indentation.String() + "^"
}

// name returns the plugin with its version: "dao-test@1.1.0".
func (p Plugin) name() string {
	if p.Version == "" {
		return p.Plugin
	}
	return p.Plugin + "@" + p.Version
}

// porting writes what to change in a plugin for Kong 2 and older.
func (w *textWriter) porting(plugin Plugin) {
	if len(plugin.Porting) == 0 {
		return
	}
	fmt.Fprintf(&w.text, "%s\n", w.color("1", plugin.name()+" was written for an older Kong. Port it in this order:"))
	for i, step := range plugin.Porting {
		fmt.Fprintf(&w.text, "%d. %s (%s)\n", i+1, step.Title, strings.Join(step.Places, ", "))
		w.example("before", step.Before)
		w.example("after", step.After)
	}
}

func (w *textWriter) example(label, code string) {
	fmt.Fprintf(&w.text, "   %s:\n", label)
	for line := range strings.Lines(code) {
		w.text.WriteString("       " + line)
	}
	w.text.WriteString("\n")
}

func (w *textWriter) summary(report Report) {
	counts := report.counts()
	var parts []string
	for _, severity := range []checks.Severity{checks.Error, checks.Warning, checks.Note} {
		if count := counts[severity]; count > 0 {
			parts = append(parts, number(count, string(severity)))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no findings"}
	}
	fmt.Fprintf(&w.text, "%s checked: %s\n", number(len(report.Plugins), "release"), strings.Join(parts, ", "))
}

func number(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}
