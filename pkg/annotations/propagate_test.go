package annotations_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
)

func TestCarryInto(t *testing.T) {
	type m = map[string]string
	asks := func(plugins string) m { return m{annotations.Plugins: plugins, "example.com/other": plugins} }
	for name, test := range map[string]struct {
		template, workload, old m
		want                    annotations.Propagation
		reason                  string
	}{
		"nothing":          {reason: "nothing to carry"},
		"new":              {workload: asks("a"), want: annotations.Propagation{Set: m{annotations.Plugins: "a"}}, reason: "ours alone are carried"},
		"both":             {workload: m{annotations.Plugins: "a", annotations.Containers: "c"}, want: annotations.Propagation{Set: m{annotations.Plugins: "a", annotations.Containers: "c"}}, reason: "each of ours"},
		"there already":    {template: asks("a"), workload: asks("a"), old: asks("a"), reason: "nothing changes"},
		"template's own":   {template: asks("a"), reason: "what stands in the template alone stays"},
		"template's, kept": {template: asks("a"), old: asks("b"), reason: "it was not carried: the template says something else than the workload did"},
		"taken off":        {template: asks("a"), old: asks("a"), want: annotations.Propagation{Remove: []string{annotations.Plugins}}, reason: "carried in, and out again"},
		"taken off, gone":  {old: asks("a"), reason: "nothing to take away"},
		"changed":          {template: asks("a"), workload: asks("b"), old: asks("a"), want: annotations.Propagation{Set: m{annotations.Plugins: "b"}}, reason: "what was carried follows, and overrules nobody"},
		"overruled": {template: asks("x"), workload: asks("b"), want: annotations.Propagation{Set: m{annotations.Plugins: "b"}, Overridden: []string{annotations.Plugins}},
			reason: "the workload wins, and it is said"},
		"emptied": {template: asks("a"), workload: asks(""), old: asks("a"), want: annotations.Propagation{Set: m{annotations.Plugins: ""}}, reason: "an empty value is carried like another"},
		"both taken off": {template: m{annotations.Plugins: "a", annotations.Containers: "c"}, old: m{annotations.Plugins: "a", annotations.Containers: "c"},
			want: annotations.Propagation{Remove: []string{annotations.Containers, annotations.Plugins}}, reason: "sorted"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, annotations.Propagate(test.template, test.workload, test.old)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
