package policy

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// testInvalid compiles specs that must be invalid. The error must begin with the text that a case wants.
func testInvalid(t *testing.T, cases map[string]invalidCase) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Compile(&v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: test.spec})
			if err == nil || got != nil || !strings.HasPrefix(err.Error(), `policy "p": `+test.want) {
				t.Errorf("%v, %v; want policy \"p\": %s: %s", got, err, test.want, test.reason)
			}
		})
	}
}

type invalidCase struct {
	spec   spec
	want   string
	reason string
}

// TestCompileInvalid proves that everything that the API server does not accept is an error here too: a policy may also
// come from a file.
func TestCompileInvalid(t *testing.T) {
	const noEffect = "the policy has no effect; set at least one of plugins, allowed and library"
	unknown := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	testInvalid(t, map[string]invalidCase{
		"nothing":        {spec{}, noEffect, ""},
		"only selectors": {spec{PodSelector: labelled("a", "b")}, noEffect, ""},
		"mode": {
			spec{Mode: "audit", Library: "l"}, `mode: the value is "audit"; use "Enforce" or "Audit"`,
			"a typo must not enforce the policy",
		},
		"namespaceSelector": {
			spec{NamespaceSelector: unknown, Library: "l"},
			`namespaceSelector: "Near" is not a valid label selector operator`, "",
		},
		"podSelector": {
			spec{PodSelector: labelled("a", "not valid"), Library: "l"},
			`podSelector: values[0][a]: Invalid value: "not valid"`, "",
		},
		"library": {spec{Library: "A/b"}, `library: "A/b" is not a valid name of a namespace`, ""},
		"several": {
			spec{Mode: "x", Plugins: plugins("", "off")},
			`mode: the value is "x"; use "Enforce" or "Audit"; plugins: element 1: `, "the error names all problems",
		},
	})
}

// TestCompileInvalidPlugins proves which plugins are invalid.
func TestCompileInvalidPlugins(t *testing.T) {
	versionInName := []v1alpha1.PolicyPlugin{{Name: "a@1"}}
	testInvalid(t, map[string]invalidCase{
		"empty": {
			spec{Plugins: plugins("")},
			`plugins: element 1: plugin name "" is invalid; use 1 to 63 letters`, "",
		},
		"two in one": {
			spec{Plugins: plugins("a,b")},
			`plugins: element 1: plugin name "a,b" is invalid; use 1 to 63 letters`, "",
		},
		"space": {spec{Plugins: plugins(" a")}, `plugins: element 1: plugin name " a" is invalid`, ""},
		"dot": {
			spec{Plugins: plugins("a.b")},
			`plugins: element 1: plugin name "a.b" contains a dot`, "Lua reads a slash",
		},
		"version in name": {
			spec{Plugins: versionInName},
			`plugins: element 1: plugin name "a@1" is invalid`, "the version is a field",
		},
		"invalid version": {spec{Plugins: plugins("a@-1")}, `plugins: element 1: version "-1" is invalid`, ""},
		"at in version":   {spec{Plugins: plugins("a@1@2")}, `plugins: element 1: version "1@2" is invalid`, ""},
		"bundled": {
			spec{Plugins: plugins("a", "bundled")},
			`plugins: element 2: "bundled" is a keyword of KONG_PLUGINS, not the name of a plugin`, "",
		},
		"off with a version": {
			spec{Plugins: plugins("off@1")},
			`plugins: element 1: "off" is a keyword of KONG_PLUGINS, not the name of a plugin`, "",
		},
		"twice": {
			spec{Plugins: plugins("a", "b", "a")}, `plugins: element 3: plugin "a" is listed twice; keep one entry`,
			"the name is the key of the list",
		},
		"in two versions": {
			spec{Plugins: plugins("a@1", "a@2")}, `plugins: element 2: plugin "a" is listed twice; keep one entry`,
			"a pod cannot have both",
		},
	})
}

// TestCompileInvalidPatterns proves which elements of an allowed list are invalid.
func TestCompileInvalidPatterns(t *testing.T) {
	testInvalid(t, map[string]invalidCase{
		"empty": {
			spec{Allowed: []string{"a", ""}},
			`allowed: element 2: the value is ""; use a plugin name, optionally with "@" and a version; "*" matches any text`,
			"it would allow nothing",
		},
		"empty version": {
			spec{Allowed: []string{"a@"}},
			`allowed: element 1: the value is "a@"`, "it would allow every version",
		},
		"two ats": {spec{Allowed: []string{"a@1@2"}}, `allowed: element 1: the value is "a@1@2"`, ""},
		"regexp": {
			spec{Allowed: []string{"dao-.*"}},
			`allowed: element 1: the value is "dao-.*"`, "no name has a dot",
		},
		"long": {
			spec{Allowed: []string{strings.Repeat("*", 64)}}, `allowed: element 1: the value is "****`,
			"the length limits the time to match",
		},
		"newline": {
			spec{Allowed: []string{"a\n"}},
			`allowed: element 1: the value is "a\n"`, "$ matches only at the end of the text",
		},
	})
}
