// Package denial owns what kongdao says when a pod cannot have what it asks
// for: a reason, which metrics count, and a sentence, which people read.
//
// Every step of the way (annotations, catalog, mutate) collects its denials
// instead of stopping at the first, so that one answer names everything that
// has to be mended.
package denial

import (
	"fmt"
	"slices"
	"strings"
)

// Reason is why something was denied, from a small fixed set: it labels
// metrics and Events.
type Reason string

// The reasons there are.
const (
	// MalformedAnnotation: an annotation of ours that does not have its form.
	MalformedAnnotation Reason = "MalformedAnnotation"
	// UnknownPlugin: no source in the namespace carries the plugin.
	UnknownPlugin Reason = "UnknownPlugin"
	// UnknownVersion: the plugin is there, but not in the version asked for.
	UnknownVersion Reason = "UnknownVersion"
	// AmbiguousVersion: several versions, and the request chooses none.
	AmbiguousVersion Reason = "AmbiguousVersion"
	// BrokenPlugin: files that Kong would fail on, at once or later.
	BrokenPlugin Reason = "BrokenPlugin"
	// ConflictingSources: ConfigMaps of one release that contradict each other.
	ConflictingSources Reason = "ConflictingSources"
	// NoKongContainer: nothing in the pod runs Kong.
	NoKongContainer Reason = "NoKongContainer"
	// UnknownContainer: a container asked for that is not there or not Kong.
	UnknownContainer Reason = "UnknownContainer"
	// NotAllowed: a policy does not let annotations ask for the plugin.
	NotAllowed Reason = "NotAllowed"
	// ConflictingPolicies: policies, or one and the annotation, want a plugin in
	// different versions.
	ConflictingPolicies Reason = "ConflictingPolicies"
	// BlockedMount: a mount of the pod's own in which no other can lie.
	BlockedMount Reason = "BlockedMount"
)

// Denial is one thing to be mended. Message begins with the thing, names the
// place and ends with the way out; it has no full stop.
type Denial struct {
	Reason  Reason
	Message string
}

// New makes a Denial, its message formatted as by fmt.Sprintf.
func New(reason Reason, format string, args ...any) Denial {
	return Denial{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// shown is how many denials one answer spells out. A request can hold
// hundreds of thousands of malformed names; nobody reads, and no API server
// should have to carry, more sentences than these.
const shown = 50

// List is what has to be mended, in any order.
type List []Denial

// Sorted returns the list ordered by message, each message once.
func (l List) Sorted() List {
	sorted := slices.Clone(l)
	slices.SortFunc(sorted, func(a, b Denial) int { return strings.Compare(a.Message, b.Message) })
	return slices.CompactFunc(sorted, func(a, b Denial) bool { return a.Message == b.Message })
}

// Error joins the sorted messages with "; ". A long list ends in the number of
// those that are left out.
func (l List) Error() string {
	sorted := l.Sorted()
	var text strings.Builder
	for i, denied := range sorted {
		if i == shown {
			fmt.Fprintf(&text, "; and %d more", len(sorted)-shown)
			break
		}
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(denied.Message)
	}
	return text.String()
}

// Reason is the reason that stands for the list where only one can be given:
// that of the first sorted denial, "" for an empty list.
func (l List) Reason() Reason {
	if len(l) == 0 {
		return ""
	}
	return slices.MinFunc(l, func(a, b Denial) int { return strings.Compare(a.Message, b.Message) }).Reason
}

// quotedLength is how much of a hostile value a message repeats, in bytes.
const quotedLength = 80

// Quote is %q for a value that somebody else wrote: a long one is cut, so that
// a message stays a sentence.
func Quote(value string) string {
	if len(value) <= quotedLength {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q... (%d bytes)", value[:quotedLength], len(value))
}

// Names writes a list for a sentence: "a", "b" and "c", sorted and quoted. A
// long list ends in the number of those that are left out.
func QuoteNames(names []string) string {
	const most = 10
	sorted := slices.Sorted(slices.Values(names))
	sorted = slices.Compact(sorted)
	rest := 0
	if len(sorted) > most {
		rest = len(sorted) - most
		sorted = sorted[:most]
	}
	quoted := make([]string, len(sorted))
	for i, name := range sorted {
		quoted[i] = Quote(name)
	}
	switch {
	case rest > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), rest)
	case len(quoted) < 2:
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
}
