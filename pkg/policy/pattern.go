package policy

import (
	"regexp"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
)

// pattern is an element of an allowed list: a plugin name, and an optional version.
type pattern struct{ text, name, version string }

// patternForm is the form that the CRD requires of an element of an allowed list.
var patternForm = regexp.MustCompile(`^[-_*A-Za-z0-9]{1,63}(@[-_.*A-Za-z0-9]{1,63})?$`)

func newPattern(text string) pattern {
	name, version, _ := strings.Cut(text, "@")
	return pattern{text, name, version}
}

// matches reports whether the pattern allows a plugin. Without a version it allows every version.
func (p pattern) matches(ref annotations.PluginRef) bool {
	return matches(p.name, ref.Name) && (p.version == "" || matches(p.version, ref.Version))
}

// matches reports whether a text matches a pattern, in which a star matches any text. The time is linear in the lengths
// of the text and of the pattern for each star, and a pattern has at most 63 bytes.
func matches(pattern, text string) bool {
	first, rest, hasStar := strings.Cut(pattern, "*")
	if !hasStar {
		return pattern == text
	}
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
