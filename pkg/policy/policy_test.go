package policy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

type spec = v1alpha1.PluginPolicySpec

// compiled is the policy of a spec that is in order.
func compiled(t testing.TB, name string, of spec) *Policy {
	t.Helper()
	policy, err := Compile(&v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: of})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// plugins returns the entries of spec.plugins for references such as "dao-test" and "dao-test@1.1.0".
func plugins(refs ...string) []v1alpha1.PolicyPlugin {
	var entries []v1alpha1.PolicyPlugin
	for _, ref := range refs {
		name, version, _ := strings.Cut(ref, "@")
		entries = append(entries, v1alpha1.PolicyPlugin{Name: name, Version: version})
	}
	return entries
}

func labelled(name, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{name: value}}
}

// TestCompileDenies proves that whatever the API server would not have taken is
// denied here too, each with a sentence that says how it should be: policies
// also come out of files.
func TestCompileDenies(t *testing.T) {
	unknown := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	for name, test := range map[string]struct {
		spec   spec
		want   string
		reason string
	}{
		"nothing":            {spec{}, "has neither plugins, nor allowed, nor a library, and decides nothing; give it one", "CEL: it would look like a policy and be none"},
		"selectors alone":    {spec{PodSelector: labelled("a", "b")}, "has neither plugins, nor allowed, nor a library, and decides nothing; give it one", "CEL: nor do these decide anything"},
		"mode":               {spec{Mode: "audit", Library: "l"}, `mode: is "audit"; write Enforce or Audit`, "a slip must not enforce"},
		"namespaceSelector":  {spec{NamespaceSelector: unknown, Library: "l"}, `namespaceSelector: "Near" is not a valid label selector operator`, "an operator that nobody knows"},
		"podSelector":        {spec{PodSelector: labelled("a", "not valid"), Library: "l"}, `podSelector: values[0][a]: Invalid value: "not valid"`, "no label can have it"},
		"empty plugin":       {spec{Plugins: plugins("")}, `plugins: element 1: plugin name "" is invalid; use 1 to 63 letters`, "the form: it asks for nothing"},
		"two in one":         {spec{Plugins: plugins("a,b")}, `plugins: element 1: plugin name "a,b" is invalid; use 1 to 63 letters`, "the form: a comma separates in annotations alone"},
		"spaces":             {spec{Plugins: plugins(" a")}, `plugins: element 1: plugin name " a" is invalid`, "the form"},
		"dot":                {spec{Plugins: plugins("a.b")}, `plugins: element 1: plugin name "a.b" contains a dot`, "the form: Lua would read a slash"},
		"version in name":    {spec{Plugins: []v1alpha1.PolicyPlugin{{Name: "a@1"}}}, `plugins: element 1: plugin name "a@1" is invalid`, "the form: the version has a field"},
		"odd version":        {spec{Plugins: plugins("a@-1")}, `plugins: element 1: version "-1" is invalid`, "the form"},
		"at in version":      {spec{Plugins: plugins("a@1@2")}, `plugins: element 1: version "1@2" is invalid`, "the form"},
		"bundled":            {spec{Plugins: plugins("a", "bundled")}, `plugins: element 2: "bundled" is a keyword of KONG_PLUGINS, not the name of a plugin`, "CEL: a word with a meaning of its own"},
		"off with a version": {spec{Plugins: plugins("off@1")}, `plugins: element 1: "off" is a keyword of KONG_PLUGINS, not the name of a plugin`, "CEL: whatever stands behind it"},
		"twice":              {spec{Plugins: plugins("a", "b", "a")}, `plugins: element 3: plugin "a" is listed twice; keep one entry`, "the list's key: one of them is a slip"},
		"in two versions":    {spec{Plugins: plugins("a@1", "a@2")}, `plugins: element 2: plugin "a" is listed twice; keep one entry`, "the list's key: a pod cannot have both"},
		"empty pattern":      {spec{Allowed: []string{"a", ""}}, `allowed: element 2: is ""; write a plugin's name, maybe @ and a version, in which a star stands for anything`, "the form: it would allow nothing"},
		"pattern's version":  {spec{Allowed: []string{"a@"}}, `allowed: element 1: is "a@"`, "the form: it would allow every version"},
		"two ats":            {spec{Allowed: []string{"a@1@2"}}, `allowed: element 1: is "a@1@2"`, "the form"},
		"regexp":             {spec{Allowed: []string{"dao-.*"}}, `allowed: element 1: is "dao-.*"`, "the form: a dot is in no name"},
		"long pattern":       {spec{Allowed: []string{strings.Repeat("*", 64)}}, `allowed: element 1: is "****`, "the form: the time to match is bounded by it"},
		"line end":           {spec{Allowed: []string{"a\n"}}, `allowed: element 1: is "a\n"`, "the form: a text's end, not a line's"},
		"library":            {spec{Library: "A/b"}, `library: "A/b" is not a namespace's name`, "the form"},
		"several":            {spec{Mode: "x", Plugins: plugins("", "off")}, `mode: is "x"; write Enforce or Audit; plugins: element 1: `, "all of it at once"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compile(&v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: test.spec})
			if err == nil || got != nil || !strings.HasPrefix(err.Error(), `policy "p": `+test.want) {
				t.Errorf("%v, %v; want policy \"p\": %s: %s", got, err, test.want, test.reason)
			}
		})
	}
}

// TestCompile proves what a policy says of itself once it is read, with the API
// server's defaults and without them.
func TestCompile(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		spec            spec
		audits, optOut  bool
		plugins         string
		namespace, pods string
		reason          string
	}{
		"defaults":        {spec: spec{Library: "l"}, optOut: true, namespace: "none a=b a=c", pods: "none a=b a=c", reason: "all namespaces, all pods, enforced, one may opt out"},
		"spelled out":     {spec: spec{Library: "l", Mode: v1alpha1.Enforce, OptOut: &yes}, optOut: true, namespace: "none a=b a=c", pods: "none a=b a=c", reason: "as the API server completes it"},
		"audit":           {spec: spec{Library: "l", Mode: v1alpha1.Audit}, audits: true, optOut: true, namespace: "none a=b a=c", pods: "none a=b a=c"},
		"no opting out":   {spec: spec{Library: "l", OptOut: &no}, namespace: "none a=b a=c", pods: "none a=b a=c"},
		"sorted":          {spec: spec{Plugins: plugins("c@2", "a", "B")}, optOut: true, plugins: "B a c@2", namespace: "none a=b a=c", pods: "none a=b a=c", reason: "the order of the list decides nothing"},
		"empty selectors": {spec: spec{Library: "l", NamespaceSelector: &metav1.LabelSelector{}, PodSelector: &metav1.LabelSelector{}}, optOut: true, namespace: "none a=b a=c", pods: "none a=b a=c", reason: "{} is everything, as everywhere in Kubernetes"},
		"selectors":       {spec: spec{Library: "l", NamespaceSelector: labelled("a", "b"), PodSelector: labelled("a", "c")}, optOut: true, namespace: "a=b", pods: "a=c"},
		"expressions": {spec: spec{Library: "l", NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "a", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"b"}}}}}, optOut: true, namespace: "none a=c", pods: "none a=b a=c", reason: "NotIn takes what has no such label"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := compiled(t, "p", test.spec)
			if policy.Name != "p" || policy.Audits != test.audits || policy.OptOut != test.optOut || policy.Library != test.spec.Library {
				t.Errorf("%+v: %s", policy, test.reason)
			}
			var plugins, namespaces, pods []string
			for _, ref := range policy.Plugins {
				plugins = append(plugins, ref.String())
			}
			for _, value := range []string{"", "b", "c"} {
				text, of := "none", map[string]string(nil)
				if value != "" {
					text, of = "a="+value, map[string]string{"a": value}
				}
				if policy.SelectsNamespace(of) {
					namespaces = append(namespaces, text)
				}
				if policy.SelectsPod(of) {
					pods = append(pods, text)
				}
			}
			got := []string{strings.Join(plugins, " "), strings.Join(namespaces, " "), strings.Join(pods, " ")}
			if diff := cmp.Diff([]string{test.plugins, test.namespace, test.pods}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestAllows proves what an annotation may ask for under a list of patterns.
func TestAllows(t *testing.T) {
	for name, test := range map[string]struct {
		allowed, yes, no string
		reason           string
	}{
		"a name":            {"dao-test", "dao-test dao-test@1", "dao-test2 dao Dao-test", "without a version every version is allowed; names are compared exactly"},
		"a star":            {"dao-*", "dao-test dao-@1", "dao mydao-test", "the star may stand for nothing"},
		"everything":        {"*", "a a@1", "", "any name"},
		"a version":         {"a@1.1.0", "a@1.1.0", "a a@1.1.1 b@1.1.0", "whoever chooses none could get any"},
		"versions":          {"a@1.*", "a@1.0 a@1.2.3", "a a@1 a@10.0 a@2.1.0", "a dot is a dot"},
		"every version":     {"a@*", "a a@1", "b", "a star is every version, so none need be chosen"},
		"stars":             {"a@**", "a a@1", "b", "however many there are"},
		"several":           {"a@1 b", "a@1 b b@2", "a a@2 c", "one is enough"},
		"nothing is listed": {"", "a a@1 anything", "", "nothing listed means anything"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := compiled(t, "p", spec{Library: "l", Allowed: strings.Fields(test.allowed)})
			for texts, want := range map[string]bool{test.yes: true, test.no: false} {
				for text := range strings.FieldsSeq(texts) {
					name, version, _ := strings.Cut(text, "@")
					if policy.allows(annotations.PluginRef{Name: name, Version: version}) != want {
						t.Errorf("%q allows %q is not %v: %s", test.allowed, text, want, test.reason)
					}
				}
			}
		})
	}
}

// TestMatches proves what a star stands for.
func TestMatches(t *testing.T) {
	for pattern, test := range map[string]struct{ yes, no []string }{
		"":      {yes: []string{""}, no: []string{"a"}},
		"a":     {yes: []string{"a"}, no: []string{"", "aa", "b"}},
		"*":     {yes: []string{"", "a", "a*b"}},
		"**":    {yes: []string{"", "a"}},
		"a*":    {yes: []string{"a", "ab"}, no: []string{"", "ba"}},
		"*a":    {yes: []string{"a", "ba", "aa"}, no: []string{"", "ab"}},
		"a*a":   {yes: []string{"aa", "aba"}, no: []string{"a", "aab"}}, // one letter is not both ends
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

// FuzzMatches proves that a pattern matches what the regular expression does that
// it stands for.
func FuzzMatches(f *testing.F) {
	f.Add("dao-*", "dao-test")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 63 || len(text) > 63 || !asciiOnly(pattern) || !asciiOnly(text) {
			return // regexp counts runes, and neither is longer or other than ASCII
		}
		parts := strings.Split(pattern, "*")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		reference := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if got, want := matches(pattern, text), reference.MatchString(text); got != want {
			t.Errorf("matches(%q, %q) = %v, and %s says %v", pattern, text, got, reference, want)
		}
	})
}

func asciiOnly(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 127 }) < 0
}
