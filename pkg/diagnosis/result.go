// Package diagnosis finds what is wrong with an installation of kongdao, and what an uninstallation leaves over.
//
//	State --Uninstall--> Results --Text--> text
//
// Each result says what was found and what to do. The package is pure: kubectl kongdao reads the objects.
package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Status is the status of a result.
type Status string

// The statuses, from good to bad.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Result is what one check found.
type Result struct {
	// ID names the check: "gated-pods".
	ID     string `json:"id"`
	Status Status `json:"status"`
	// Message is a sentence about what was found.
	Message string `json:"message"`
	// Hint says what to do. It is empty if the status is OK.
	Hint string `json:"hint,omitempty"`
}

// Results are the results of all checks, in the order of the checks.
type Results []Result

// Worst returns the worst status.
func (r Results) Worst() Status {
	for _, status := range []Status{Failed, Warning} {
		if slices.ContainsFunc(r, func(result Result) bool { return result.Status == status }) {
			return status
		}
	}
	return OK
}

// colors are the escape sequences of the statuses.
var colors = map[Status]string{OK: "32", Warning: "33", Failed: "31"}

// Text formats the results with one line for each check, and a line with the hint.
func (r Results) Text(colored bool) string {
	var text strings.Builder
	for _, result := range r {
		label := fmt.Sprintf("%-7s", result.Status)
		if colored {
			label = "\x1b[" + colors[result.Status] + "m" + label + "\x1b[0m"
		}
		fmt.Fprintf(&text, "%s  %s\n", label, printable(result.Message))
		if result.Hint != "" {
			fmt.Fprintf(&text, "         %s\n", printable(result.Hint))
		}
	}
	return text.String()
}

// printable replaces control characters, because messages contain text from the cluster.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}

// names lists the first names: "a, b and 3 more".
func names(all []string) string {
	const limit = 3
	slices.Sort(all)
	if len(all) <= limit {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:limit], ", "), len(all)-limit)
}

// count formats a number with a noun: "1 pod", "2 pods".
func count(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", number, noun)
}
