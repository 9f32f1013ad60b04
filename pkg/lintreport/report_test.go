package lintreport_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/lintreport"
)

// hostile returns a report about a plugin whose files have commands for terminals and for GitHub.
func hostile() lintreport.Report {
	source := lintreport.SourceLine([]byte("first\n\tlocal x = \"\x1b[31m\xffé\" -- \r\n"), 2)
	return lintreport.Report{Plugins: []lintreport.Plugin{{
		Plugin: "p", Version: "1", Origin: ".", Findings: []lintreport.Finding{{
			Finding: checks.Finding{
				Rule: "lua-syntax", Severity: checks.Error, Line: 2, Column: 17, // of the byte 0xff
				Message: "near '\x1b[2J\n::error::x'", WayOut: "a, b: 100%",
			},
			Location: "a:b,c\x1b[0m.lua", Source: source,
		}},
	}}}
}

// TestHostileText checks that no format passes on what a terminal or GitHub would run as commands.
func TestHostileText(t *testing.T) {
	want := map[string]string{
		"text": "a:b,c\ufffd[0m.lua:2:17: error: near '\ufffd[2J\ufffd::error::x' [lua-syntax]\n" +
			"    \tlocal x = \"\ufffd[31m\ufffdé\" -- \n    \t               ^\n  fix: a, b: 100%\n\n" +
			"1 release checked: 1 error\n",
		"github": "::error file=a%3Ab%2Cc\x1b[0m.lua,line=2,col=17,title=lua-syntax::" +
			"near '\x1b[2J%0A::error::x'; a, b: 100%25\n",
	}
	for format, want := range want {
		got, err := hostile().Format(format, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", format, diff)
		}
	}
}

// TestFormats checks that each format is what it claims, also for an empty report.
func TestFormats(t *testing.T) {
	for _, report := range []lintreport.Report{{Plugins: []lintreport.Plugin{}}, hostile()} {
		for _, format := range lintreport.Formats() {
			text, err := report.Format(format, true)
			if err != nil {
				t.Errorf("%s: %v", format, err)
			}
			if isJSON := format == "json" || format == "sarif"; isJSON && !json.Valid(text) {
				t.Errorf("%s is not JSON: %s", format, text)
			}
		}
	}
	if _, err := hostile().Format("xml", false); err == nil || !strings.Contains(err.Error(), "-o text, -o json") {
		t.Errorf("got %v", err)
	}
}

// TestHas checks which severities make lint fail.
func TestHas(t *testing.T) {
	report := lintreport.Report{Plugins: []lintreport.Plugin{{Findings: []lintreport.Finding{
		{Finding: checks.Finding{Severity: checks.Warning}},
	}}}}
	if report.Has(checks.Error) || !report.Has(checks.Warning) || !report.Has(checks.Note) {
		t.Error("a warning is at least as bad as a note, and not as bad as an error")
	}
}
