package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// A combineCase is policies, a pod, and all that comes of it, as said writes it.
type combineCase struct {
	policies map[string]spec
	// annotations are the pod's, their names without the prefix.
	annotations map[string]string
	labels      map[string]string
	notKong     bool
	want        []string
	reason      string
}

type noted = map[string]string

// combined is what a case comes to.
func (c combineCase) combined(t *testing.T) Outcome {
	t.Helper()
	given := map[string]string{}
	for name, value := range c.annotations {
		given[annotations.Prefix+name] = value
	}
	request, denied := annotations.Parse(given)
	if len(denied) > 0 {
		t.Fatal(denied)
	}
	var policies []*Policy
	for name, of := range c.policies {
		policies = append(policies, compiled(t, name, of))
	}
	pod := Pod{Namespace: "kong", Labels: c.labels, IsKong: !c.notKong, Inject: given[annotations.Inject], Migrations: given[annotations.Migrations]}
	actual, _ := ApplyPolicies(policies, pod, request)
	return actual
}

// said is all of an outcome, a line each.
func said(outcome Outcome) []string {
	var lines []string
	for _, ref := range outcome.Request.Plugins {
		lines = append(lines, "plugin "+ref.String())
	}
	if outcome.Request.AllKongContainers {
		lines = append(lines, "every Kong")
	}
	for _, denied := range outcome.Denials {
		lines = append(lines, string(denied.Reason)+": "+denied.Message)
	}
	for _, warning := range outcome.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	for _, ref := range outcome.Request.Plugins {
		if origin, there := outcome.Origins[ref.Name]; there {
			lines = append(lines, fmt.Sprintf("%s from %s, only %v", ref.Name, strings.Join(origin.Libraries, " "), origin.Only))
		}
	}
	for _, effect := range []Effect{Denied, OptedOut, WouldChange, WouldDeny} {
		if names := outcome.Effects.Policies(effect); len(names) > 0 {
			lines = append(lines, string(effect)+" "+strings.Join(names, " "))
		}
	}
	return lines
}

// check compares a case's lines in any order.
func check(t *testing.T, cases map[string]combineCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := said(c.combined(t))
			slices.Sort(got)
			if diff := cmp.Diff(slices.Sorted(slices.Values(c.want)), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func wants(refs ...string) spec     { return spec{Plugins: plugins(refs...)} }
func allows(allowed ...string) spec { return spec{Allowed: allowed} }

func firm(of spec) spec {
	no := false
	of.OptOut = &no
	return of
}

func audited(of spec) spec {
	of.Mode = v1alpha1.Audit
	return of
}

func from(library string, of spec) spec {
	of.Library = library
	return of
}

// TestCombinePlugins proves rules 1 to 3 and 5: what a pod gets of what it asks
// for and of what policies want, in which version, and where to.
func TestCombinePlugins(t *testing.T) {
	selecting := wants("a")
	selecting.PodSelector = labelled("app", "kong")
	check(t, map[string]combineCase{
		"nobody wants anything":   {reason: "no policy, no request"},
		"an annotation alone":     {annotations: noted{"plugins": "b,a@1"}, want: []string{"plugin b", "plugin a@1"}, reason: "as if there were no policies"},
		"a policy alone":          {policies: map[string]spec{"p": wants("b", "a@1")}, want: []string{"plugin a@1", "plugin b", "every Kong"}, reason: "as if annotated"},
		"both":                    {policies: map[string]spec{"p": wants("b", "a")}, annotations: noted{"plugins": "c"}, want: []string{"plugin c", "plugin a", "plugin b", "every Kong"}, reason: "the annotation adds to them"},
		"no Kong":                 {policies: map[string]spec{"p": wants("a")}, notKong: true, reason: "who does not look like Kong gets nothing that it did not ask for"},
		"no Kong that asks":       {policies: map[string]spec{"p": wants("a")}, notKong: true, annotations: noted{"plugins": "b"}, want: []string{"plugin b"}},
		"selected":                {policies: map[string]spec{"p": selecting}, labels: map[string]string{"app": "kong"}, want: []string{"plugin a", "every Kong"}},
		"not selected":            {policies: map[string]spec{"p": selecting}, labels: map[string]string{"app": "x"}},
		"forged marks":            {policies: map[string]spec{"p": wants("a")}, annotations: noted{"injected": "true", "injection": `{"releases":[]}`}, want: []string{"plugin a", "every Kong"}, reason: "nothing decides by them"},
		"other containers":        {policies: map[string]spec{"p": wants("a")}, annotations: noted{"plugins": "a", "containers": "x"}, want: []string{"plugin a", "every Kong"}, reason: "a pod that names containers leaves none of Kong's out"},
		"its own containers":      {policies: map[string]spec{"p": allows("a")}, annotations: noted{"plugins": "a", "containers": "x"}, want: []string{"plugin a"}, reason: "no policy wants it anywhere"},
		"a version decides":       {policies: map[string]spec{"p": wants("a@1"), "q": wants("a")}, annotations: noted{"plugins": "a"}, want: []string{"plugin a@1", "every Kong"}, reason: "for those who name none"},
		"the annotation's":        {policies: map[string]spec{"p": wants("a")}, annotations: noted{"plugins": "a@1"}, want: []string{"plugin a@1", "every Kong"}, reason: "it may decide too, where nothing is listed"},
		"agreed":                  {policies: map[string]spec{"p": wants("a@1"), "q": wants("a@1")}, annotations: noted{"plugins": "a@1"}, want: []string{"plugin a@1", "every Kong"}},
		"malformed migrations":    {policies: map[string]spec{"p": wants("a")}, annotations: noted{"migrations": "Off"}, want: []string{"plugin a", "every Kong", `MalformedAnnotation: annotation kongdao.io/migrations: the value is "Off"; use "auto", "up" or "off"`}, reason: "Parse lets it pass of pods that ask for nothing, and a slip must not migrate"},
		"migrations of nobody":    {policies: map[string]spec{"p": allows("a")}, annotations: noted{"migrations": "Off"}, reason: "who gets nothing is denied for nothing (W7)"},
		"opted out":               {policies: map[string]spec{"p": wants("a"), "q": wants("b")}, annotations: noted{"inject": "false"}, want: []string{"opted_out p q"}},
		"opted out, and asks":     {policies: map[string]spec{"p": wants("a@1", "b")}, annotations: noted{"inject": "false", "plugins": "a@2"}, want: []string{"plugin a@2", "opted_out p"}, reason: "what it asks for it gets all the same, and the policy's version is not there to differ"},
		"not let out":             {policies: map[string]spec{"p": firm(wants("a")), "q": wants("b")}, annotations: noted{"inject": "false"}, want: []string{"plugin a", "every Kong", "opted_out q", `warning: annotation kongdao.io/inject is "false", and policy "p" does not let pods opt out`}},
		"opting in":               {policies: map[string]spec{"p": wants("a")}, annotations: noted{"inject": "true"}, want: []string{"plugin a", "every Kong"}, reason: "says what is so anyway"},
		"malformed":               {policies: map[string]spec{"p": wants("a"), "q": wants("b")}, annotations: noted{"inject": "no"}, want: []string{"plugin a", "plugin b", "every Kong", `MalformedAnnotation: annotation kongdao.io/inject: is "no"; write "true" or "false"`, "denied p q"}, reason: "a slip is neither, and is said once"},
		"malformed, not selected": {policies: map[string]spec{"p": selecting, "q": allows("a")}, annotations: noted{"inject": "no"}, reason: "where nothing is wanted, it decides nothing (W7)"},
	})
}

// TestCombineDenials proves rules 3 and 4, each denial by its whole sentence, and
// that what is denied is no part of the request: nobody has to hear that it is
// not there either.
func TestCombineDenials(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = fmt.Sprintf("b%d", i)
	}
	const out = "; let them agree on one version"
	check(t, map[string]combineCase{
		"two versions": {policies: map[string]spec{"q": wants("a@1"), "p": wants("a@2")},
			want:   []string{"every Kong", `ConflictingPolicies: plugin "a": policy "q" wants version "1", and policy "p" wants version "2"` + out, "denied p q"},
			reason: "both are named"},
		"three policies": {policies: map[string]spec{"r": wants("a@1"), "q": wants("a@1"), "p": wants("a@2"), "o": wants("a")},
			want:   []string{"every Kong", `ConflictingPolicies: plugin "a": policy "q" wants version "1", and policy "p" wants version "2"` + out, "denied p q r"},
			reason: "one for each version; who names none is not concerned"},
		"against the annotation": {policies: map[string]spec{"p": wants("a@2"), "q": wants("a@1")}, annotations: noted{"plugins": "a@1"},
			want: []string{"every Kong", `ConflictingPolicies: plugin "a": annotation kongdao.io/plugins asks for version "1", and policy "p" wants version "2"` + out, "denied p q"}},
		"not allowed": {policies: map[string]spec{"p": allows("b", "dao-*@1.*")}, annotations: noted{"plugins": "b,a"},
			want: []string{"plugin b", `NotAllowed: plugin "a": policy "p" does not allow it in namespace "kong", but b, dao-*@1.*; ask for one of these, or have the policy changed`, "denied p"}},
		"another version": {policies: map[string]spec{"p": allows("a@1.*")}, annotations: noted{"plugins": "a@2.0"},
			want: []string{`NotAllowed: plugin "a@2.0": policy "p" does not allow it in namespace "kong", but a@1.*; ask for one of these, or have the policy changed`, "denied p"}},
		"no Kong": {policies: map[string]spec{"p": allows("b")}, annotations: noted{"plugins": "a", "containers": "x"}, notKong: true,
			want:   []string{`NotAllowed: plugin "a": policy "p" does not allow it in namespace "kong", but b; ask for one of these, or have the policy changed`, "denied p"},
			reason: "kongdao.io/containers names what runs Kong, and goes round nothing"},
		"opted out": {policies: map[string]spec{"p": {Plugins: plugins("b"), Allowed: []string{"b"}}}, annotations: noted{"plugins": "a", "inject": "false"},
			want:   []string{`NotAllowed: plugin "a": policy "p" does not allow it in namespace "kong", but b; ask for one of these, or have the policy changed`, "denied p", "opted_out p"},
			reason: "one opts out of plugins, not of what is allowed"},
		"narrowed": {policies: map[string]spec{"p": allows("dao-*"), "q": allows("*-test")}, annotations: noted{"plugins": "dao-test,dao-x,y-test"},
			want: []string{"plugin dao-test",
				`NotAllowed: plugin "dao-x": policy "q" does not allow it in namespace "kong", but *-test; ask for one of these, or have the policy changed`,
				`NotAllowed: plugin "y-test": policy "p" does not allow it in namespace "kong", but dao-*; ask for one of these, or have the policy changed`, "denied p q"},
			reason: "what every policy allows"},
		"a long list": {policies: map[string]spec{"p": allows(many...)}, annotations: noted{"plugins": "a"},
			want: []string{`NotAllowed: plugin "a": policy "p" does not allow it in namespace "kong", but b0, b1, b2, b3, b4, b5, b6, b7, b8, b9 and 2 more; ask for one of these, or have the policy changed`, "denied p"}},
		"a policy's own":     {policies: map[string]spec{"p": wants("a"), "q": allows("b")}, want: []string{"plugin a", "every Kong"}, reason: "lists are of annotations"},
		"given anyway":       {policies: map[string]spec{"p": wants("a@1"), "q": allows("b")}, annotations: noted{"plugins": "a@1"}, want: []string{"plugin a@1", "every Kong"}, reason: "it asks for what it gets"},
		"given in a version": {policies: map[string]spec{"p": wants("a@1"), "q": allows("b")}, annotations: noted{"plugins": "a"}, want: []string{"plugin a@1", "every Kong"}},
		"given in another": {policies: map[string]spec{"p": wants("a"), "q": allows("b")}, annotations: noted{"plugins": "a@1"},
			want:   []string{"every Kong", `NotAllowed: plugin "a@1": policy "q" does not allow it in namespace "kong", but b; ask for one of these, or have the policy changed`, "denied q"},
			reason: "a policy wants it, but nobody lets the annotation choose the version"},
		"given to others": {policies: map[string]spec{"p": {Plugins: plugins("a"), PodSelector: labelled("x", "y")}, "q": allows("b")}, annotations: noted{"plugins": "a"},
			want: []string{`NotAllowed: plugin "a": policy "q" does not allow it in namespace "kong", but b; ask for one of these, or have the policy changed`, "denied q"}},
	})
}

// TestCombineLibraries proves rule 6: where each plugin may come from.
func TestCombineLibraries(t *testing.T) {
	check(t, map[string]combineCase{
		"none":             {policies: map[string]spec{"p": wants("a")}, annotations: noted{"plugins": "b"}, want: []string{"plugin b", "plugin a", "every Kong"}, reason: "the pod's own namespace is no library"},
		"for annotations":  {policies: map[string]spec{"p": {Library: "l"}, "q": {Library: "k"}}, annotations: noted{"plugins": "b"}, want: []string{"plugin b", "b from k l, only false"}},
		"a policy's alone": {policies: map[string]spec{"p": from("l", wants("a")), "q": {Library: "k"}}, annotations: noted{"plugins": "b"}, want: []string{"plugin b", "plugin a", "every Kong", "a from l, only true", "b from k l, only false"}, reason: "the namespace's own must not take the place of what a platform team gives"},
		"asked for too":    {policies: map[string]spec{"p": from("l", wants("a"))}, annotations: noted{"plugins": "a"}, want: []string{"plugin a", "every Kong", "a from l, only true"}, reason: "an annotation does not take it elsewhere"},
		"two libraries":    {policies: map[string]spec{"p": from("l", wants("a")), "q": from("k", wants("a")), "r": from("l", wants("a"))}, want: []string{"plugin a", "every Kong", "a from k l, only true"}},
		"one without":      {policies: map[string]spec{"p": from("l", wants("a")), "q": wants("a", "b")}, want: []string{"plugin a", "plugin b", "every Kong", "a from l, only true", "b from l, only false"}},
		"opted out":        {policies: map[string]spec{"p": from("l", wants("a"))}, annotations: noted{"plugins": "a", "inject": "false"}, want: []string{"plugin a", "opted_out p", "a from l, only false"}, reason: "then nobody but the annotation wants it"},
	})
}

// TestCombineAudit proves rule 7: a policy that audits changes nothing, and all
// that it would change is said, with its name and no other's.
func TestCombineAudit(t *testing.T) {
	const would = "warning: audited policies would deny this pod: "
	const out = "; ask for one of these, or have the policy changed"
	elsewhere := audited(wants("a"))
	elsewhere.PodSelector = labelled("x", "y")
	check(t, map[string]combineCase{
		"gives":           {policies: map[string]spec{"p": audited(wants("a@1", "b")), "q": wants("b")}, want: []string{"plugin b", "every Kong", `warning: audited policy "p" would give this pod the plugin "a@1"`, "would_change p"}},
		"gives to others": {policies: map[string]spec{"p": elsewhere, "q": audited(wants("a"))}, want: []string{`warning: audited policy "q" would give this pod the plugin "a"`, "would_change q"}, reason: "who does not select the pod is not named"},
		"two give":        {policies: map[string]spec{"p": audited(wants("a@1")), "q": audited(wants("a"))}, want: []string{`warning: audited policy "p" and "q" would give this pod the plugin "a@1"`, "would_change p q"}},
		"decides the version": {policies: map[string]spec{"p": audited(wants("a@1")), "q": audited(wants("a"))}, annotations: noted{"plugins": "a"},
			want: []string{"plugin a", `warning: audited policy "p" would give this pod the plugin "a@1"`, "would_change p"}, reason: "who names no version changes none"},
		"changes nothing": {policies: map[string]spec{"p": audited(wants("a")), "q": wants("a@1")}, want: []string{"plugin a@1", "every Kong"}},
		"every container": {policies: map[string]spec{"p": audited(wants("a"))}, annotations: noted{"plugins": "a", "containers": "x"},
			want: []string{"plugin a", `warning: audited policy "p" would give the plugin "a" to every container that looks like Kong, not only to those that annotation kongdao.io/containers names`, "would_change p"}},
		"opted out":   {policies: map[string]spec{"p": audited(wants("a"))}, annotations: noted{"inject": "false"}, reason: "it would not give it then"},
		"not let out": {policies: map[string]spec{"p": audited(firm(wants("a")))}, annotations: noted{"inject": "false"}, want: []string{`warning: audited policy "p" would give this pod the plugin "a"`, "would_change p"}},
		"malformed": {policies: map[string]spec{"p": audited(wants("a"))}, annotations: noted{"inject": "no"},
			want: []string{would + `annotation kongdao.io/inject: is "no"; write "true" or "false"`, "would_deny p"}},
		"does not allow": {policies: map[string]spec{"p": audited(allows("b")), "q": allows("a")}, annotations: noted{"plugins": "a"},
			want: []string{"plugin a", would + `plugin "a": policy "p" does not allow it in namespace "kong", but b` + out, "would_deny p"}},
		"conflicts": {policies: map[string]spec{"p": audited(wants("a@2")), "q": wants("a@1")},
			want:   []string{"plugin a@1", "every Kong", would + `plugin "a": policy "q" wants version "1", and policy "p" wants version "2"; let them agree on one version`, "would_deny p"},
			reason: "only what is audited would deny: the other is enforced, and does not"},
		"denied anyway": {policies: map[string]spec{"p": audited(allows("b")), "q": allows("c")}, annotations: noted{"plugins": "a"},
			want: []string{`NotAllowed: plugin "a": policy "q" does not allow it in namespace "kong", but c` + out, "denied q"}, reason: "it would be no otherwise"},
		"allows by giving": {policies: map[string]spec{"p": audited(wants("a@1")), "q": allows("b")}, annotations: noted{"plugins": "a"},
			want: []string{`NotAllowed: plugin "a": policy "q" does not allow it in namespace "kong", but b` + out, "denied q", `warning: audited policy "p" would give this pod the plugin "a@1"`, "would_change p"}, reason: "what audits allows nothing either"},
		"a library": {policies: map[string]spec{"p": audited(spec{Library: "l"}), "q": {Library: "k"}}, annotations: noted{"plugins": "a"},
			want: []string{"plugin a", "a from k, only false", `warning: audited policy "p" would let the plugin "a" come from the library "l"`, "would_change p"}},
		"the same library": {policies: map[string]spec{"p": audited(spec{Library: "l"}), "q": {Library: "l"}}, annotations: noted{"plugins": "a"}, want: []string{"plugin a", "a from l, only false"}},
		"a library alone": {policies: map[string]spec{"p": audited(from("l", wants("a"))), "q": {Library: "l"}}, annotations: noted{"plugins": "a"},
			want: []string{"plugin a", "a from l, only false", `warning: audited policy "p" would have the plugin "a" come from the library "l" alone`, "would_change p"}},
	})
}
