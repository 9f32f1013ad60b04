package lintreport

import (
	"encoding/json"
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/checks"
)

// The parts of a SARIF file (version 2.1.0) that code hosts read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		FullDescription  sarifText `json:"fullDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     checks.Severity `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// sarif formats the report for code scanning.
func (r Report) sarif() ([]byte, error) {
	driver := sarifDriver{Name: "kongdao", InformationURI: "https://kongdao.io"}
	for _, rule := range checks.Rules() {
		driver.Rules = append(driver.Rules, sarifRule{rule.ID, plain(rule.Title), plain("Otherwise: " + rule.Reason)})
	}
	driver.Rules = append(driver.Rules, sarifRule{SourcesRule, plain("The ConfigMaps of a release fit together."),
		plain("Otherwise: kongdao denies the pods that request the release.")})
	run := sarifRun{Tool: sarifTool{driver}, Results: []sarifResult{}}
	for _, plugin := range r.Plugins {
		for _, finding := range plugin.Findings {
			run.Results = append(run.Results, newResult(plugin, finding))
		}
	}
	log := sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
	text, err := json.MarshalIndent(log, "", "  ")
	return append(text, '\n'), err
}

// plain returns a text without the quotes of Markdown for code.
func plain(text string) sarifText { return sarifText{strings.ReplaceAll(text, "`", "")} }

func newResult(plugin Plugin, finding Finding) sarifResult {
	location := sarifPhysical{Artifact: sarifArtifact{finding.uri(plugin)}}
	if finding.Line > 0 {
		location.Region = &sarifRegion{finding.Line, finding.Column}
	}
	return sarifResult{
		RuleID: finding.Rule, Level: finding.Severity, Message: sarifText{finding.sentence()},
		Locations: []sarifLocation{{location}},
	}
}

// uri returns the location for programs. The plugin as a whole has the location of its origin.
func (f Finding) uri(plugin Plugin) string {
	if f.Location == "" {
		return plugin.Origin
	}
	return f.Location
}

// sentence returns the finding without its place.
func (f Finding) sentence() string {
	text := f.Message
	if f.Kong != "" {
		text += "; " + f.Kong
	}
	return text + "; " + f.WayOut
}

// github formats the report as commands for GitHub's workflows, which show them next to the changed lines.
func (r Report) github() []byte {
	commands := map[checks.Severity]string{checks.Error: "error", checks.Warning: "warning", checks.Note: "notice"}
	var text strings.Builder
	for _, plugin := range r.Plugins {
		for _, finding := range plugin.Findings {
			properties := fmt.Sprintf("file=%s", escapeProperty(finding.uri(plugin)))
			if finding.Line > 0 {
				properties += fmt.Sprintf(",line=%d,col=%d", finding.Line, finding.Column)
			}
			fmt.Fprintf(&text, "::%s %s,title=%s::%s\n", commands[finding.Severity], properties, finding.Rule,
				escapeCommand(finding.sentence()))
		}
	}
	return []byte(text.String())
}

// escapeCommand escapes a text for GitHub's commands. Without it, a hostile plugin could add commands.
func escapeCommand(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

func escapeProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeCommand(text))
}
