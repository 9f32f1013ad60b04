package annotations_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

func TestParse(t *testing.T) {
	type refs = []annotations.PluginRef
	for name, test := range map[string]struct {
		annotations map[string]string
		plugins     refs
		containers  []string
		denied      []string
		reason      string
		// migrations is that of a request that asks for something, "auto" where empty.
		migrations annotations.MigrationsMode
	}{
		"migrations by others": {annotations: map[string]string{annotations.Plugins: "a", annotations.Migrations: " off "}, plugins: refs{{Name: "a"}}, migrations: annotations.MigrationsOff},
		"up alone":             {annotations: map[string]string{annotations.Plugins: "a", annotations.Migrations: "up"}, plugins: refs{{Name: "a"}}, migrations: annotations.MigrationsUp},
		"empty migrations":     {annotations: map[string]string{annotations.Plugins: "a", annotations.Migrations: ""}, plugins: refs{{Name: "a"}}, reason: "an empty value is none"},
		"unknown migrations":   {annotations: map[string]string{annotations.Plugins: "a", annotations.Migrations: "Off"}, plugins: refs{{Name: "a"}}, denied: []string{`is "Off"; write auto, up or off`}, reason: "a slip must not migrate"},
		"migrations not asked": {annotations: map[string]string{annotations.Migrations: "x"}, reason: "who asks for no plugin is denied for nothing (W7)"},
		"nothing":              {reason: "no annotations ask for nothing"},
		"others":               {annotations: map[string]string{"a": "b"}, reason: "those of others are not ours"},
		"empty":                {annotations: map[string]string{annotations.Plugins: ""}, reason: "an empty value asks for nothing"},
		"blank":                {annotations: map[string]string{annotations.Plugins: " \n"}, reason: "so does a blank one"},
		"one":                  {annotations: map[string]string{annotations.Plugins: "dao-test"}, plugins: refs{{Name: "dao-test"}}},
		"version":              {annotations: map[string]string{annotations.Plugins: "dao-test@1.1.0"}, plugins: refs{{"dao-test", "1.1.0"}}},
		"order":                {annotations: map[string]string{annotations.Plugins: " b@2 ,\na,\tb@2"}, plugins: refs{{"b", "2"}, {Name: "a"}}, reason: "the annotation's order, each once, spaces anywhere between"},
		"containers":           {annotations: map[string]string{annotations.Plugins: "a", annotations.Containers: "proxy, wait-for-db,proxy "}, plugins: refs{{Name: "a"}}, containers: []string{"proxy", "wait-for-db"}, reason: "each name once"},
		"no containers":        {annotations: map[string]string{annotations.Plugins: "a", annotations.Containers: ""}, plugins: refs{{Name: "a"}}, denied: []string{"element 1: is empty"}, reason: "named containers that are none would be nobody"},
		"not asked":            {annotations: map[string]string{annotations.Containers: ","}, reason: "who asks for no plugin is denied for nothing (W7)"},
		"empty elements":       {annotations: map[string]string{annotations.Plugins: ",a,"}, plugins: refs{{Name: "a"}}, denied: []string{"element 1: is empty", "element 3: is empty"}, reason: "each mistake has its place"},
		"two versions":         {annotations: map[string]string{annotations.Plugins: "a@1,a@2"}, plugins: refs{{"a", "1"}}, denied: []string{`"a@1" and as "a@2"`}, reason: "nobody can have both"},
		"with and without": {annotations: map[string]string{annotations.Plugins: "a,a@2,a"}, plugins: refs{{Name: "a"}}, denied: []string{`"a" and as "a@2"`},
			reason: "none chosen and one chosen are two requests"},
		"no version":      {annotations: map[string]string{annotations.Plugins: "a@"}, denied: []string{`version ""`}, reason: "@ announces a version"},
		"two ats":         {annotations: map[string]string{annotations.Plugins: "a@1@2"}, denied: []string{`version "1@2"`}, reason: "a version has no @"},
		"inner space":     {annotations: map[string]string{annotations.Plugins: "a b"}, denied: []string{`plugin name "a b"`}, reason: "names are between commas"},
		"semicolon":       {annotations: map[string]string{annotations.Plugins: "a;b"}, denied: []string{`plugin name "a;b"`}},
		"space before at": {annotations: map[string]string{annotations.Plugins: "a @1"}, denied: []string{`plugin name "a "`}},
		"too long": {annotations: map[string]string{annotations.Plugins: strings.Repeat(",", 64<<10+1)}, denied: []string{"65537 bytes"},
			reason: "what nobody can have written is one mistake, not thousands"},
		"all wrong": {annotations: map[string]string{annotations.Plugins: "off,a.b", annotations.Containers: ","},
			denied: []string{"element 1: is empty", "element 2: is empty", `"off" is a word`, `"a.b" has a dot`}, reason: "one answer names every mistake"},
	} {
		t.Run(name, func(t *testing.T) {
			request, denied := annotations.Parse(test.annotations)
			want := annotations.Request{Plugins: test.plugins, Containers: test.containers, Migrations: test.migrations}
			if want.Migrations == "" && name != "too long" {
				want.Migrations = annotations.MigrationsAuto
			}
			equateEmpty := cmp.Transformer("nil", func(list refs) refs { return append(refs{}, list...) })
			if diff := cmp.Diff(want, request, equateEmpty); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			sorted := denied.Sorted()
			if len(sorted) != len(test.denied) {
				t.Fatalf("%d denials, want %d: %v: %s", len(sorted), len(test.denied), denied, test.reason)
			}
			for i, denied := range sorted {
				if denied.Reason != denial.MalformedAnnotation || !strings.Contains(denied.Message, test.denied[i]) {
					t.Errorf("denial %d is %s: %s; want one with %q", i, denied.Reason, denied.Message, test.denied[i])
				}
			}
		})
	}
}

func TestCheckPluginName(t *testing.T) {
	for name, test := range map[string]struct {
		good   bool
		reason string
	}{
		"dao-test": {true, "Kong's own form"}, "dao_test": {true, "K1"}, "DaoTest": {true, "K1"}, "1dao": {true, "K1"}, "x": {true, "one letter"},
		"a--_b": {true, "any inside"}, strings.Repeat("a", 63): {true, "as long as a label's value"},
		"Bundled": {true, "only the words as Kong writes them"}, "off-peak": {true, "only the whole word"},
		"": {false, "empty"}, "a.b": {false, "Lua reads a dot as a slash"}, ".": {false, "a dot"}, "..": {false, "dots"},
		"bundled": {false, "a word of KONG_PLUGINS"}, "off": {false, "a word of KONG_PLUGINS"},
		"-a": {false, "begins with a dash"}, "a-": {false, "ends in a dash"}, "_a": {false, "begins with an underscore"}, "a_": {false, "ends in one"},
		"a/b": {false, "a slash"}, "a b": {false, "a space"}, "a,b": {false, "a comma"}, "a$(B)": {false, "an expansion"}, "é": {false, "no ASCII"}, "a\x00": {false, "a NUL"},
		strings.Repeat("a", 64): {false, "too long for a label's value"},
	} {
		if err := annotations.ValidatePluginName(name); (err == nil) != test.good {
			t.Errorf("ValidatePluginName(%q) = %v; want good %v: %s", name, err, test.good, test.reason)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for version, good := range map[string]bool{
		"1.1.0": true, "v2": true, "1.0.0-rc.1_x": true, strings.Repeat("1", 63): true,
		"": false, "1.": false, ".1": false, "1+2": false, "1 ": false, strings.Repeat("1", 64): false,
	} {
		if err := annotations.ValidateVersion(version); (err == nil) != good {
			t.Errorf("ValidateVersion(%q) = %v; want good %v: a label's value", version, err, good)
		}
	}
}

// TestCarried proves that the list is sorted, as its comment says, and that
// nobody can change it for others.
func TestCarried(t *testing.T) {
	carried := annotations.Propagated()
	if !slices.IsSorted(carried) || len(carried) != 4 {
		t.Errorf("not the four annotations, sorted: %q", carried)
	}
	carried[0] = "x"
	if annotations.Propagated()[0] == "x" {
		t.Error("the list is shared")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"dao-test", "dao-test@1.1.0, my_plugin", "a,,b", "off", "a.b@", "@", "a@1,a@2,a", strings.Repeat("a,", 100)} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, plugins, containers string) {
		request, denied := annotations.Parse(map[string]string{annotations.Plugins: plugins, annotations.Containers: containers})
		seen := map[string]bool{}
		for _, ref := range request.Plugins {
			if err := annotations.ValidatePluginName(ref.Name); err != nil {
				t.Errorf("%q gives a plugin that is none: %v", plugins, err)
			}
			if problems := validation.IsValidLabelValue(ref.Name); len(problems) > 0 {
				t.Errorf("%q gives plugin %q, which no label can hold: %v", plugins, ref.Name, problems)
			}
			if problems := validation.IsValidLabelValue(ref.Version); len(problems) > 0 {
				t.Errorf("%q gives version %q, which no label can hold: %v", plugins, ref.Version, problems)
			}
			if seen[ref.Name] {
				t.Errorf("%q gives plugin %q twice", plugins, ref.Name)
			}
			seen[ref.Name] = true
			again, problems := annotations.Parse(map[string]string{annotations.Plugins: ref.String()})
			if len(problems) > 0 || len(again.Plugins) != 1 || again.Plugins[0] != ref {
				t.Errorf("%q is parsed as %v (%v)", ref, again.Plugins, problems)
			}
		}
		if slices.Contains(request.Containers, "") {
			t.Errorf("%q gives a container without a name", containers)
		}
		if strings.TrimSpace(plugins) != "" && len(request.Plugins) == 0 && len(denied) == 0 {
			t.Errorf("%q asks for something, and gives neither plugins nor denials", plugins)
		}
	})
}
