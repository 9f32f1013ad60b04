package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// shelves yields releases written as namespace@version:digest.
func shelves(has []string) ReleaseLookup {
	return func(namespace, plugin string) []*catalog.Release {
		var found []*catalog.Release
		for _, text := range has {
			place, digest, _ := strings.Cut(text, ":")
			if in, version, _ := strings.Cut(place, "@"); in == namespace {
				found = append(found, &catalog.Release{Plugin: plugin, Version: version, Digest: digest})
			}
		}
		return found
	}
}

// TestFinder proves where releases are looked for, and that those of a library
// are copies, but for the library's own pods.
func TestFinder(t *testing.T) {
	for name, test := range map[string]struct {
		origin   Origin
		own, ref string
		has      []string // namespace@version:digest
		want     []string
		reason   string
	}{
		"own":             {own: "kong", has: []string{"kong@1:x"}, want: []string{"1"}},
		"library first":   {origin: Origin{Libraries: []string{"l"}}, own: "kong", has: []string{"kong@1:x", "l@2:y"}, want: []string{"2 copied from l"}, reason: "what a library has is taken from there"},
		"else own":        {origin: Origin{Libraries: []string{"l"}}, own: "kong", has: []string{"kong@1:x"}, want: []string{"1"}},
		"library alone":   {origin: Origin{Libraries: []string{"l"}, Only: true}, own: "kong", has: []string{"kong@1:x"}, want: []string{` plugin "a": a policy has it come from the library "l", where no ConfigMap is labelled kongdao.io/plugin=a; publish it there with "kubectl kongdao pack"`}, reason: "whatever the pod's namespace has"},
		"with a version":  {origin: Origin{Libraries: []string{"l"}, Only: true}, own: "kong", ref: "1", has: []string{"kong@1:x"}, want: []string{`1 plugin "a@1": a policy has it come from the library "l", where no ConfigMap is labelled kongdao.io/plugin=a; publish it there with "kubectl kongdao pack"`}, reason: "the sentence has to be found by whoever asks for that version"},
		"another version": {origin: Origin{Libraries: []string{"l"}}, own: "kong", ref: "1", has: []string{"kong@1:x", "l@2:x", "l@3:x"}, want: []string{`1 plugin "a@1": the library "l" has it as "2" and "3"; publish this version there, or have one asked for that is there`}, reason: "said of the place where it is looked for"},
		"which":           {origin: Origin{Libraries: []string{"l"}, Only: true}, own: "kong", has: []string{"l@2:x", "l@3:x"}, want: []string{` plugin "a": the library "l" has it as "2" and "3", and neither a policy nor annotation kongdao.io/plugins chooses; write "a@3" in one of them`}},
		"chosen":          {origin: Origin{Libraries: []string{"l"}, Only: true}, own: "kong", ref: "2", has: []string{"l@2:x", "l@3:x"}, want: []string{"2 copied from l"}},
		"unnamed":         {origin: Origin{Libraries: []string{"l"}, Only: true}, own: "kong", has: []string{"l@:x", "l@3:x"}, want: []string{` plugin "a": the library "l" has it as "" and "3", and neither a policy nor annotation kongdao.io/plugins chooses; write "a@3" in one of them`}, reason: "a release without a version is not chosen by asking for none"},
		"in the library":  {origin: Origin{Libraries: []string{"l"}, Only: true}, own: "l", has: []string{"l@1:x"}, want: []string{"1"}, reason: "its own pods need no copy"},
		"two alike":       {origin: Origin{Libraries: []string{"k", "l"}}, own: "kong", has: []string{"k@1:x", "l@1:x"}, want: []string{"1 copied from k"}, reason: "the same files are no conflict"},
		"two that differ": {origin: Origin{Libraries: []string{"k", "l"}}, own: "kong", has: []string{"k@1:x", "l@1:y"}, want: []string{`1 plugin "a@1": the libraries "k" and "l" have it with different files; keep one`}},
	} {
		t.Run(name, func(t *testing.T) {
			origins := map[string]Origin{"a": test.origin}
			if test.origin.Libraries == nil {
				origins = nil
			}
			var got []string
			request := annotations.Request{Plugins: []annotations.PluginRef{{Name: "b"}, {Name: "a", Version: test.ref}}}
			outcome := Outcome{Request: request, Origins: origins}
			for _, release := range outcome.Finder(test.own, shelves(test.has))("a") {
				text := release.Version
				if release.Library != "" {
					text += " copied from " + release.Library
				}
				if len(release.Denials) > 0 {
					text += " " + release.Denials.Error()
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestMayCopy proves that no pod gets a library's release to its namespace by what
// it says of itself, but only where the policies would have it so.
func TestMayCopy(t *testing.T) {
	for name, test := range map[string]struct {
		policies map[string]spec
		want     bool
		reason   string
	}{
		"no policy":            {nil, false, "no library is offered"},
		"offered":              {map[string]spec{"p": from("l", allows("other", "a"))}, true, "an annotation may ask for it"},
		"all of it":            {map[string]spec{"p": from("l", spec{})}, true, "nothing listed means anything"},
		"another library":      {map[string]spec{"p": from("k", spec{})}, false, "of that nothing is said"},
		"audited":              {map[string]spec{"p": audited(from("l", spec{}))}, false, "it changes nothing"},
		"not allowed":          {map[string]spec{"p": from("l", spec{}), "q": allows("b")}, false, "policies narrow each other"},
		"another version":      {map[string]spec{"p": from("l", allows("a@2"))}, false, "allowed is another"},
		"given":                {map[string]spec{"p": from("l", wants("a")), "q": allows("b")}, true, "what a policy wants is allowed"},
		"given otherwise":      {map[string]spec{"p": from("l", wants("a@2")), "q": allows("b")}, false, "as it wants it"},
		"not allowed by audit": {map[string]spec{"p": from("l", spec{}), "q": audited(allows("b"))}, true, "it changes nothing"},
	} {
		var policies []*Policy
		for name, of := range test.policies {
			policies = append(policies, compiled(t, name, of))
		}
		if got := MayCopy(policies, "l", annotations.PluginRef{Name: "a", Version: "1"}); got != test.want {
			t.Errorf("%s: %v, want %v: %s", name, got, test.want, test.reason)
		}
	}
}
