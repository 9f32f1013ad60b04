// Package sourcereview decides about a source that is created or changed: what is denied, and what is only a warning.
// It is pure.
//
// A plugin can have several ConfigMaps, which a GitOps tool creates in any order. So a problem that another ConfigMap
// can solve denies nothing, unless the digest shows that the release is complete.
package sourcereview

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/checks"
)

// maxMessages limits the denials and the warnings of a review. The API server limits the length of warnings.
const maxMessages = 10

// Review is the decision about a source.
type Review struct {
	// Denials say why the source must not be written. They are empty if it is forced.
	Denials  []string
	Warnings []string
	// Forced are the rules that would have denied the source without the annotation kongdao.io/force, sorted.
	Forced []string
}

// Executed is a list of migrations that Kong has executed.
type Executed struct {
	// PluginMigration is its namespace and name.
	PluginMigration string
	Migrations      []catalog.Migration
}

// New decides about a source. The release is the one that the source belongs to after it is written.
func New(source *catalog.Source, release *catalog.Release, executed []Executed) Review {
	r := &reviewer{source: source, release: release}
	r.reviewPaths()
	r.reviewFindings()
	r.reviewRelease()
	r.reviewExecuted(executed)
	if source.Excess == "" && !source.Immutable {
		r.warn("this ConfigMap is not immutable: changes reach running pods, and Kong never runs a changed migration again")
	}
	r.Denials, r.Warnings = limit(r.Denials), limit(r.Warnings)
	slices.Sort(r.Forced)
	r.Forced = slices.Compact(r.Forced)
	return r.Review
}

// reviewer holds the state of one review.
type reviewer struct {
	Review
	source  *catalog.Source
	release *catalog.Release
}

func (r *reviewer) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// deny denies the source because of a rule, or warns if the source is forced.
func (r *reviewer) deny(rule, message string) {
	if r.source.IsForced {
		r.Forced = append(r.Forced, rule)
		r.warn("forced: %s", message)
		return
	}
	r.Denials = append(r.Denials, message)
}

// reviewPaths denies keys that are not paths in the plugin's directory.
func (r *reviewer) reviewPaths() {
	for _, problem := range r.source.InvalidPaths() {
		r.deny("sources", problem)
	}
}

// reviewFindings reviews what the checks found in the files of this source, and in the release as a whole.
func (r *reviewer) reviewFindings() {
	for _, finding := range r.release.Findings {
		isHere := slices.ContainsFunc(r.release.Files, func(file catalog.File) bool {
			return file.Path == finding.File && file.Source == r.source.Name
		})
		isAboutOthers := checks.IsAboutMissingFiles(finding.Rule)
		message := fmt.Sprintf("%s [%s]", finding, finding.Rule)
		switch {
		case finding.Severity == checks.Note:
		case !r.release.IsComplete && isAboutOthers:
			r.warn("incomplete so far: %s", message)
		case finding.Severity == checks.Error && (isHere || r.release.IsComplete):
			r.deny(finding.Rule, message)
		case isHere || isAboutOthers:
			r.warn("%s", message)
		}
	}
}

// reviewRelease warns about what keeps pods from the release apart from findings: conflicts, limits, and missing parts.
func (r *reviewer) reviewRelease() {
	invalid := r.source.InvalidPaths()
	for _, denied := range r.release.Denials {
		isReported := denied.Rule != "" || slices.ContainsFunc(invalid, func(problem string) bool {
			return strings.HasSuffix(denied.Message, problem)
		})
		if !isReported {
			r.warn("pods that request the release are denied so far: %s", denied.Message)
		}
	}
}

// reviewExecuted warns about migrations that Kong has executed and that the release changes.
func (r *reviewer) reviewExecuted(executed []Executed) {
	current := r.release.Migrations()
	seen := map[string]bool{}
	for _, before := range executed {
		digests := map[string]string{}
		for _, migration := range before.Migrations {
			digests[migration.Name] = migration.Digest
		}
		last := -1
		for i, migration := range current {
			digest, isExecuted := digests[migration.Name]
			if isExecuted {
				last = i
			}
			if isExecuted && migration.Digest != "" && digest != migration.Digest && !seen[migration.Name] {
				seen[migration.Name] = true
				r.warn("migration %q differs from the one that Kong has executed (PluginMigration %q): Kong does not run it "+
					"again; write a new migration", migration.Name, before.PluginMigration)
			}
		}
		for _, migration := range current[:last+1] {
			if _, isExecuted := digests[migration.Name]; !isExecuted && !seen[migration.Name] {
				seen[migration.Name] = true
				r.warn("migration %q is listed before migrations that Kong has executed (PluginMigration %q), and runs after "+
					"them; add new migrations at the end of the list", migration.Name, before.PluginMigration)
			}
		}
	}
}

// limit keeps the first messages, and counts the others.
func limit(messages []string) []string {
	if len(messages) <= maxMessages {
		return messages
	}
	return append(messages[:maxMessages:maxMessages], fmt.Sprintf("and %d more", len(messages)-maxMessages))
}
