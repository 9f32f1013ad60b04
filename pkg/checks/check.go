package checks

import (
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/lua"
	"kongdao.io/kongdao/pkg/luaeval"
)

// Release is what the checks read of a release.
type Release struct {
	Plugin string
	// Files are the files by path in the plugin's directory. The summary is nil for files that are not Lua.
	Files map[string]*Summary
	// KongVersion is the version of Kong that must load the plugin. If it is zero, only what fails in all versions is an
	// error.
	KongVersion KongVersion
	// OtherPlugins are plugins that Kong has in addition to its own and this one.
	OtherPlugins []string
	// Modules are all modules of Kong's image, or nil if they are not known.
	Modules map[string]bool
}

// Check returns the findings of a release, sorted by file and line.
func Check(release Release) []Finding {
	c := newChecker(release)
	c.findAll()
	return Sort(c.applyRules())
}

// checker holds the state of one Check call.
type checker struct {
	Release
	rules    map[string]Rule
	findings []Finding
	// errors is the number of findings of rules with the severity Error.
	errors int
	// visited are the files that Kong always loads, and uncertain those that it may load.
	visited, uncertain map[string]bool
}

func newChecker(release Release) *checker {
	c := &checker{Release: release, rules: map[string]Rule{}, visited: map[string]bool{}, uncertain: map[string]bool{}}
	for _, rule := range Rules() {
		c.rules[rule.ID] = rule
	}
	return c
}

// maxCheckFindings limits the errors of a release, and its other findings. More of them do not help.
const maxCheckFindings = 200

func (c *checker) add(finding Finding) {
	if c.rules[finding.Rule].Severity == Error {
		if !c.hasManyErrors() {
			c.errors++
			c.findings = append(c.findings, finding)
		}
		return
	}
	if len(c.findings)-c.errors < maxCheckFindings {
		c.findings = append(c.findings, finding)
	}
}

func (c *checker) hasManyErrors() bool { return c.errors >= maxCheckFindings }

// addAll adds the findings of a file.
func (c *checker) addAll(file string, findings []Finding) {
	for _, finding := range findings {
		finding.File = file
		c.add(finding)
	}
}

// findAll checks all files.
func (c *checker) findAll() {
	c.checkName()
	c.checkHandler()
	c.checkSchema()
	c.checkDAOs()
	c.checkMigrations()
	c.visit(APIFile, true)
	c.checkRest()
}

// applyRules gives the findings their severities, and drops those of other versions of Kong.
func (c *checker) applyRules() []Finding {
	var kept []Finding
	for _, finding := range c.findings {
		rule := c.rules[finding.Rule]
		affected := rule.versions
		if finding.in != nil {
			affected = *finding.in
		}
		if !c.KongVersion.IsZero() && !affected.contains(c.KongVersion) {
			continue
		}
		finding.Severity = rule.Severity
		if finding.maxSeverity != "" && finding.Severity.IsAtLeast(finding.maxSeverity) {
			finding.Severity = finding.maxSeverity
		}
		if c.KongVersion.IsZero() && !affected.isAll() && finding.Severity == Error {
			finding.Severity = Warning
			finding.Kong = strings.TrimSuffix(fmt.Sprintf("Kong %s: %s", affected, finding.Kong), ": ")
		}
		finding.in, finding.maxSeverity = nil, ""
		kept = append(kept, finding)
	}
	return kept
}

// resolver follows values that come from the plugin's other modules.
type resolver func(luaeval.Value) luaeval.Value

// resolve returns the value that a module of the plugin returns, if it is known.
func (c *checker) resolve(value luaeval.Value) luaeval.Value {
	const maxHops = 5
	for range maxHops {
		if value.Kind != luaeval.Module {
			return value
		}
		own, isOwn := c.ownModule(value.Module)
		summary := c.Files[c.fileOf(own)]
		if !isOwn || summary == nil {
			return value
		}
		target := summary.value
		for _, key := range value.Path {
			if target.Kind != luaeval.TableKind || target.Table.IsOpen {
				return luaeval.Value{Pos: value.Pos}
			}
			target = target.Table.Get(key)
		}
		target.Pos = value.Pos // the place in the file that uses it
		value = target
	}
	return luaeval.Value{Pos: value.Pos}
}

// visit checks a file that Kong loads, and the modules that it requires. isCertain is true if Kong always loads it.
func (c *checker) visit(file string, isCertain bool) {
	summary := c.Files[file]
	if summary == nil || c.visited[file] || !isCertain && c.uncertain[file] {
		return
	}
	if isCertain {
		c.visited[file] = true
	} else {
		c.uncertain[file] = true
	}
	if summary.loadError != nil {
		finding := *summary.loadError
		finding.File = file
		switch {
		case !isCertain:
			finding.maxSeverity, finding.Kong = Warning, "requests that need the file answer 500"
		case file == APIFile:
			finding.Kong = "Kong starts, and every request to the Admin API answers 500"
		}
		c.add(finding)
		return
	}
	for _, required := range summary.required {
		c.checkRequired(file, required, isCertain)
		if own, isOwn := c.ownModule(required.Module); isOwn {
			c.visit(c.fileOf(own), isCertain && required.IsCertain)
		}
	}
	if summary.role == apiRole {
		c.addAll(file, summary.findings)
	}
}

// syntaxFinding is the finding for a file that LuaJIT cannot read.
func syntaxFinding(err *lua.SyntaxError) *Finding {
	finding := Finding{Rule: "lua-syntax", Message: err.Message, Kong: notStarting + `: "error loading module"`,
		WayOut: "correct the syntax; Kong's LuaJIT reads Lua 5.1 and parts of 5.2"}.at(err.Pos)
	return &finding
}
