package policy

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"kongdao.io/kongdao/pkg/annotations"
)

// TestAllows proves which requests an allowed list allows.
func TestAllows(t *testing.T) {
	for name, test := range map[string]struct {
		allowed, yes, no string
		reason           string
	}{
		"a name": {
			"dao-test", "dao-test dao-test@1", "dao-test2 dao Dao-test",
			"a name without a version allows every version; names are case-sensitive",
		},
		"a star":        {"dao-*", "dao-test dao-@1", "dao mydao-test", "a star also matches an empty text"},
		"all plugins":   {"*", "a a@1", "", ""},
		"a version":     {"a@1.1.0", "a@1.1.0", "a a@1.1.1 b@1.1.0", "a request without a version may get any version"},
		"versions":      {"a@1.*", "a@1.0 a@1.2.3", "a a@1 a@10.0 a@2.1.0", "a dot matches only a dot"},
		"every version": {"a@*", "a a@1", "b", "the request needs no version if every version is allowed"},
		"two stars":     {"a@**", "a a@1", "b", "two stars match the same as one"},
		"two elements":  {"a@1 b", "a@1 b b@2", "a a@2 c", "one element has to match"},
		"no list":       {"", "a a@1 anything", "", "everything is allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := compiled(t, "p", spec{Library: "l", Allowed: strings.Fields(test.allowed)})
			for texts, want := range map[string]bool{test.yes: true, test.no: false} {
				for text := range strings.FieldsSeq(texts) {
					name, version, _ := strings.Cut(text, "@")
					if got := policy.allows(annotations.PluginRef{Name: name, Version: version}); got != want {
						t.Errorf("%q allows %q: %v, want %v: %s", test.allowed, text, got, want, test.reason)
					}
				}
			}
		})
	}
}

// TestMatches proves what a star matches.
func TestMatches(t *testing.T) {
	for pattern, test := range map[string]struct{ yes, no []string }{
		"":      {yes: []string{""}, no: []string{"a"}},
		"a":     {yes: []string{"a"}, no: []string{"", "aa", "b"}},
		"*":     {yes: []string{"", "a", "a*b"}},
		"**":    {yes: []string{"", "a"}},
		"a*":    {yes: []string{"a", "ab"}, no: []string{"", "ba"}},
		"*a":    {yes: []string{"a", "ba", "aa"}, no: []string{"", "ab"}},
		"a*a":   {yes: []string{"aa", "aba"}, no: []string{"a", "aab"}}, // one letter cannot match both ends
		"ab*ba": {yes: []string{"abba", "abcba"}, no: []string{"aba"}},
		"*a*":   {yes: []string{"a", "bab"}, no: []string{"", "b"}},
		"a*b*c": {yes: []string{"abc", "a1b2c", "abbc", "abcbc"}, no: []string{"acb", "ac"}},
		"*ab*b": {yes: []string{"abb", "aabab"}, no: []string{"ab"}},
		"a.c":   {yes: []string{"a.c"}, no: []string{"abc"}},
	} {
		for _, text := range test.yes {
			if !matches(pattern, text) {
				t.Errorf("%q does not match %q", pattern, text)
			}
		}
		for _, text := range test.no {
			if matches(pattern, text) {
				t.Errorf("%q matches %q", pattern, text)
			}
		}
	}
}

// FuzzMatches compares matches with a regular expression.
func FuzzMatches(f *testing.F) {
	f.Add("dao-*", "dao-test")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 63 || len(text) > 63 || !asciiOnly(pattern) || !asciiOnly(text) {
			return // the CRD does not accept these, and regexp matches runes, not bytes
		}
		parts := strings.Split(pattern, "*")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		reference := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if got, want := matches(pattern, text), reference.MatchString(text); got != want {
			t.Errorf("matches(%q, %q) = %v, but %s reports %v", pattern, text, got, reference, want)
		}
	})
}

func asciiOnly(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}
