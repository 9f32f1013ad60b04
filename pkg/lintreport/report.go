// Package lintreport formats the findings of the checks: as text for people, as JSON and YAML for programs, and as
// SARIF and GitHub's workflow commands for code review. It is pure.
package lintreport

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/checks"
)

// SourcesRule is the ID for problems of the ConfigMaps: a missing part of a release, or a key that is not a path.
const SourcesRule = "sources"

// Report is the result of checking some plugins.
type Report struct {
	Plugins []Plugin `json:"plugins"`
}

// Plugin is the result of checking one release of a plugin.
type Plugin struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version,omitempty"`
	// Origin is where the plugin is: "./dao-test", or "namespace kong".
	Origin   string    `json:"origin"`
	Findings []Finding `json:"findings"`
	// Porting are the steps to port a plugin to Kong 3, or nil for a plugin that needs none.
	Porting []checks.PortingStep `json:"porting,omitempty"`
}

// Finding is a finding with its place outside of the plugin.
type Finding struct {
	checks.Finding
	// Location is the path of the file from the user's directory, or the ConfigMap and the key. It is "" for the plugin
	// as a whole.
	Location string `json:"location,omitempty"`
	// Source is the line of the file, or "".
	Source string `json:"source,omitempty"`
}

// SourceLine returns a line of a file, for Finding.Source. Lines start at 1.
func SourceLine(content []byte, line int) string {
	const maxBytes = 500
	for number, text := range enumerate(strings.Lines(string(content))) {
		if number == line {
			text = strings.TrimRight(text, "\r\n")
			return text[:min(len(text), maxBytes)]
		}
	}
	return ""
}

// enumerate adds numbers from 1.
func enumerate(lines func(func(string) bool)) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range lines {
			number++
			if !yield(number, line) {
				return
			}
		}
	}
}

// Has reports whether a finding is at least as bad as a severity.
func (r Report) Has(severity checks.Severity) bool {
	return slices.ContainsFunc(r.Plugins, func(p Plugin) bool {
		return slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Severity.IsAtLeast(severity) })
	})
}

// counts returns the number of findings by severity.
func (r Report) counts() map[checks.Severity]int {
	counts := map[checks.Severity]int{}
	for _, plugin := range r.Plugins {
		for _, finding := range plugin.Findings {
			counts[finding.Severity]++
		}
	}
	return counts
}

// Formats are the names of the formats.
func Formats() []string { return []string{"text", "json", "yaml", "sarif", "github"} }

// Format formats the report. The text is colored only in the format "text".
func (r Report) Format(format string, isColored bool) ([]byte, error) {
	switch format {
	case "text":
		return r.text(isColored), nil
	case "json":
		text, err := json.MarshalIndent(r, "", "  ")
		return append(text, '\n'), err
	case "yaml":
		return yaml.Marshal(r)
	case "sarif":
		return r.sarif()
	case "github":
		return r.github(), nil
	}
	return nil, fmt.Errorf("unknown output format %q; use -o %s", format, strings.Join(Formats(), ", -o "))
}
