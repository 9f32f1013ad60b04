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
	type m = map[string]string
	type refs = []annotations.PluginRef
	a := refs{{Name: "a"}}
	for name, test := range map[string]struct {
		annotations map[string]string
		plugins     refs
		containers  []string
		denied      []string
		reason      string
		// migrations is MigrationsAuto if empty.
		migrations annotations.MigrationsMode
	}{
		"migrations off": {
			annotations: m{annotations.Plugins: "a", annotations.Migrations: " off "},
			plugins:     a, migrations: annotations.MigrationsOff,
		},
		"migrations up": {
			annotations: m{annotations.Plugins: "a", annotations.Migrations: "up"},
			plugins:     a, migrations: annotations.MigrationsUp,
		},
		"migrations empty": {
			annotations: m{annotations.Plugins: "a", annotations.Migrations: ""},
			plugins:     a, reason: "an empty value means the default",
		},
		"migrations unknown": {
			annotations: m{annotations.Plugins: "a", annotations.Migrations: "Off"}, plugins: a,
			denied: []string{`the value is "Off"; use "auto", "up" or "off"`}, reason: "a typo must not start a migration",
		},
		"migrations without plugins": {
			annotations: m{annotations.Migrations: "x"}, reason: "a pod that requests no plugins is not denied",
		},
		"no annotations":    {reason: "no annotations request nothing"},
		"other annotations": {annotations: m{"a": "b"}, reason: "other annotations do not matter"},
		"empty":             {annotations: m{annotations.Plugins: ""}, reason: "an empty value requests nothing"},
		"blank":             {annotations: m{annotations.Plugins: " \n"}, reason: "a blank value requests nothing"},
		"one plugin":        {annotations: m{annotations.Plugins: "dao-test"}, plugins: refs{{Name: "dao-test"}}},
		"version": {
			annotations: m{annotations.Plugins: "dao-test@1.1.0"}, plugins: refs{{Name: "dao-test", Version: "1.1.0"}},
		},
		"order": {
			annotations: m{annotations.Plugins: " b@2 ,\na,\tb@2"}, plugins: refs{{Name: "b", Version: "2"}, {Name: "a"}},
			reason: "the order of the annotation, without duplicates and spaces",
		},
		"containers": {
			annotations: m{annotations.Plugins: "a", annotations.Containers: "proxy, wait-for-db,proxy "},
			plugins:     a, containers: []string{"proxy", "wait-for-db"}, reason: "each name once",
		},
		"containers empty": {
			annotations: m{annotations.Plugins: "a", annotations.Containers: ""}, plugins: a,
			denied: []string{"element 1: the element is empty"}, reason: "an empty list names no container",
		},
		"containers without plugins": {
			annotations: m{annotations.Containers: ","}, reason: "a pod that requests no plugins is not denied",
		},
		"empty elements": {
			annotations: m{annotations.Plugins: ",a,"}, plugins: a,
			denied: []string{"element 1: the element is empty", "element 3: the element is empty"},
			reason: "each problem has its place",
		},
		"two versions": {
			annotations: m{annotations.Plugins: "a@1,a@2"}, plugins: refs{{Name: "a", Version: "1"}},
			denied: []string{`"a@1" and as "a@2"`}, reason: "a pod cannot have both",
		},
		"with and without version": {
			annotations: m{annotations.Plugins: "a,a@2,a"}, plugins: a, denied: []string{`"a" and as "a@2"`},
			reason: "no version and a version are two different requests",
		},
		"empty version": {
			annotations: m{annotations.Plugins: "a@"},
			denied:      []string{`version ""`}, reason: "@ needs a version",
		},
		"two at signs": {
			annotations: m{annotations.Plugins: "a@1@2"},
			denied:      []string{`version "1@2"`}, reason: "no @ in versions",
		},
		"inner space": {
			annotations: m{annotations.Plugins: "a b"},
			denied:      []string{`plugin name "a b"`}, reason: "only commas separate",
		},
		"semicolon": {
			annotations: m{annotations.Plugins: "a;b"},
			denied:      []string{`plugin name "a;b"`}, reason: "only commas separate",
		},
		"space before at": {
			annotations: m{annotations.Plugins: "a @1"},
			denied:      []string{`plugin name "a "`}, reason: "no inner spaces",
		},
		"too long": {
			annotations: m{annotations.Plugins: strings.Repeat(",", 64<<10+1)}, denied: []string{"65537 bytes"},
			reason: "an oversized value is one problem, not thousands",
		},
		"all malformed": {
			annotations: m{annotations.Plugins: "off,a.b", annotations.Containers: ","},
			denied: []string{
				"element 1: the element is empty", "element 2: the element is empty",
				`"off" is a keyword`, `"a.b" contains a dot`,
			},
			reason: "one response names all problems",
		},
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
				t.Fatalf("got %d denials, want %d: %v: %s", len(sorted), len(test.denied), denied, test.reason)
			}
			for i, denied := range sorted {
				if denied.Reason != denial.MalformedAnnotation || !strings.Contains(denied.Message, test.denied[i]) {
					t.Errorf("denial %d is %s: %s; want one that contains %q", i, denied.Reason, denied.Message, test.denied[i])
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"dao-test", "dao-test@1.1.0, my_plugin", "a,,b", "off", "a.b@", "@", "a@1,a@2,a", strings.Repeat("a,", 100),
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, plugins, containers string) {
		request, denied := annotations.Parse(map[string]string{
			annotations.Plugins: plugins, annotations.Containers: containers,
		})
		seen := map[string]bool{}
		for _, ref := range request.Plugins {
			if err := annotations.ValidatePluginName(ref.Name); err != nil {
				t.Errorf("%q gives an invalid plugin name: %v", plugins, err)
			}
			if problems := validation.IsValidLabelValue(ref.Name); len(problems) > 0 {
				t.Errorf("%q gives plugin %q, which is not a label value: %v", plugins, ref.Name, problems)
			}
			if problems := validation.IsValidLabelValue(ref.Version); len(problems) > 0 {
				t.Errorf("%q gives version %q, which is not a label value: %v", plugins, ref.Version, problems)
			}
			if seen[ref.Name] {
				t.Errorf("%q gives plugin %q twice; want it once", plugins, ref.Name)
			}
			seen[ref.Name] = true
			parsed, problems := annotations.Parse(map[string]string{annotations.Plugins: ref.String()})
			if len(problems) > 0 || len(parsed.Plugins) != 1 || parsed.Plugins[0] != ref {
				t.Errorf("%q is parsed as %v (%v); want itself", ref, parsed.Plugins, problems)
			}
		}
		if slices.Contains(request.Containers, "") {
			t.Errorf("%q gives a container without a name", containers)
		}
		if strings.TrimSpace(plugins) != "" && len(request.Plugins) == 0 && len(denied) == 0 {
			t.Errorf("%q is not blank, but gives neither plugins nor denials", plugins)
		}
	})
}
