package denial

import (
	"fmt"
	"slices"
	"strings"
)

// maxQuotedBytes limits how much of a user's value a message repeats.
const maxQuotedBytes = 80

// Quote formats a value from user input as %q does. It truncates a long value, so that the message stays readable.
func Quote(value string) string {
	if len(value) <= maxQuotedBytes {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q... (%d bytes)", value[:maxQuotedBytes], len(value))
}

// maxQuotedNames limits the names in one sentence.
const maxQuotedNames = 10

// QuoteNames formats names for a sentence, quoted, sorted and without duplicates: "a", "b" and "c". A long list ends
// with the number of omitted names.
func QuoteNames(names []string) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	omitted := max(len(sorted)-maxQuotedNames, 0)
	sorted = sorted[:len(sorted)-omitted]
	quoted := make([]string, len(sorted))
	for i, name := range sorted {
		quoted[i] = Quote(name)
	}
	switch {
	case omitted > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), omitted)
	case len(quoted) < 2:
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
}

// QuoteConfigMaps formats the names of ConfigMaps for a sentence: ConfigMap "a"; ConfigMaps "a" and "b".
func QuoteConfigMaps(names []string) string {
	if len(names) == 1 {
		return "ConfigMap " + QuoteNames(names)
	}
	return "ConfigMaps " + QuoteNames(names)
}
