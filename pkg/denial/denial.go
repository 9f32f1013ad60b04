// Package denial owns the reasons for which kongdao denies a pod. A denial has a reason code for metrics and Events,
// and a message for people.
//
// Each step (annotations, catalog, policy, mutate) collects its denials and continues. The user then sees all problems
// in one response.
package denial

import (
	"fmt"
	"slices"
	"strings"
)

// Reason is a code from a small fixed set. It labels metrics and Events.
type Reason string

// The reasons of denials.
const (
	// MalformedAnnotation: the value of a kongdao annotation does not have the required form.
	MalformedAnnotation Reason = "MalformedAnnotation"
	// UnknownPlugin: the namespace has no source for the plugin.
	UnknownPlugin Reason = "UnknownPlugin"
	// UnknownVersion: the plugin exists, but not in the requested version.
	UnknownVersion Reason = "UnknownVersion"
	// PinnedReleaseMissing: the release that the pod template was resolved to no longer exists.
	PinnedReleaseMissing Reason = "PinnedReleaseMissing"
	// BrokenPlugin: Kong would fail on the plugin's files, at startup or at a later request.
	BrokenPlugin Reason = "BrokenPlugin"
	// ConflictingSources: ConfigMaps of one release contradict each other.
	ConflictingSources Reason = "ConflictingSources"
	// LimitExceeded: the sources are more or larger than the catalog keeps.
	LimitExceeded Reason = "LimitExceeded"
	// NoKongContainer: no container of the pod runs Kong.
	NoKongContainer Reason = "NoKongContainer"
	// UnknownContainer: a requested container does not exist in the pod, or does not run Kong.
	UnknownContainer Reason = "UnknownContainer"
	// NotAllowed: a policy does not allow annotations to request the plugin.
	NotAllowed Reason = "NotAllowed"
	// ConflictingPolicies: policies, or a policy and the annotation, require different versions of a plugin.
	ConflictingPolicies Reason = "ConflictingPolicies"
	// BlockedMount: the pod mounts a volume in which no other volume can be mounted.
	BlockedMount Reason = "BlockedMount"
	// MigrationsNotRun: the plugin has migrations, and kongdao cannot run them.
	MigrationsNotRun Reason = "MigrationsNotRun"
)

// Denial is one problem that the user must fix. Message names the thing and the place, and says what to do. It has no
// full stop.
type Denial struct {
	Reason  Reason
	Message string
	// Rule is the ID of the rule that the plugin breaks, if the checks of plugins found the problem.
	Rule string
}

// New returns a Denial. It formats the message as fmt.Sprintf does.
func New(reason Reason, format string, args ...any) Denial {
	return Denial{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// maxListedMessages limits the messages in one response. A request can hold hundreds of thousands of malformed names.
const maxListedMessages = 50

// List is a set of denials, in any order.
type List []Denial

// Sorted returns a copy of the list, sorted by message and without duplicates.
func (l List) Sorted() List {
	sorted := slices.Clone(l)
	slices.SortFunc(sorted, func(a, b Denial) int { return strings.Compare(a.Message, b.Message) })
	return slices.CompactFunc(sorted, func(a, b Denial) bool { return a.Message == b.Message })
}

// Error joins the sorted messages with "; ". A long list ends with the number of omitted messages.
func (l List) Error() string {
	sorted := l.Sorted()
	var text strings.Builder
	for i, denied := range sorted {
		if i == maxListedMessages {
			fmt.Fprintf(&text, "; and %d more", len(sorted)-maxListedMessages)
			break
		}
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(denied.Message)
	}
	return text.String()
}

// Reason returns the reason that represents the whole list: the reason of the first message in sorted order. It returns
// "" for an empty list.
func (l List) Reason() Reason {
	if len(l) == 0 {
		return ""
	}
	return slices.MinFunc(l, func(a, b Denial) int { return strings.Compare(a.Message, b.Message) }).Reason
}
