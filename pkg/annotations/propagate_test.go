package annotations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
)

func TestPropagate(t *testing.T) {
	type m = map[string]string
	plugins := func(value string) m { return m{annotations.Plugins: value, "example.com/other": value} }
	both := m{annotations.Plugins: "a", annotations.Containers: "c"}
	for name, test := range map[string]struct {
		template, workload, old m
		want                    annotations.Propagation
		reason                  string
	}{
		"no annotations": {reason: "nothing to propagate"},
		"new workload": {
			workload: plugins("a"),
			want:     annotations.Propagation{Set: m{annotations.Plugins: "a"}},
			reason:   "only kongdao's annotations are propagated",
		},
		"two annotations": {
			workload: both, want: annotations.Propagation{Set: both}, reason: "each annotation is propagated",
		},
		"already propagated": {
			template: plugins("a"), workload: plugins("a"), old: plugins("a"), reason: "nothing changes",
		},
		"only in the template": {template: plugins("a"), reason: "the template's own annotation stays"},
		"removed, but template differs": {
			template: plugins("a"), old: plugins("b"), reason: "the template's own value stays",
		},
		"removed, but not in template": {old: plugins("a"), reason: "nothing to remove"},
		"removed from the workload": {
			template: plugins("a"), old: plugins("a"),
			want:   annotations.Propagation{Remove: []string{annotations.Plugins}},
			reason: "the propagated annotation is removed with the original",
		},
		"changed": {
			template: plugins("a"), workload: plugins("b"), old: plugins("a"),
			want:   annotations.Propagation{Set: m{annotations.Plugins: "b"}},
			reason: "the propagated value follows the original, and nothing is overridden",
		},
		"overridden": {
			template: plugins("x"), workload: plugins("b"),
			want: annotations.Propagation{
				Set: m{annotations.Plugins: "b"}, Overridden: []string{annotations.Plugins},
			},
			reason: "the workload's value wins, and the result says so",
		},
		"emptied": {
			template: plugins("a"), workload: plugins(""), old: plugins("a"),
			want:   annotations.Propagation{Set: m{annotations.Plugins: ""}},
			reason: "an empty value is propagated as any other value",
		},
		"two removed": {
			template: both, old: both,
			want:   annotations.Propagation{Remove: []string{annotations.Containers, annotations.Plugins}},
			reason: "the names are sorted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, annotations.Propagate(test.template, test.workload, test.old)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestPropagatedIsSortedAndNotShared(t *testing.T) {
	propagated := annotations.Propagated()
	if !slices.IsSorted(propagated) || len(propagated) != 5 {
		t.Errorf("Propagated() = %q; want five names, sorted", propagated)
	}
	propagated[0] = "x"
	if annotations.Propagated()[0] == "x" {
		t.Error("a caller can change the list for other callers; want a new list for each call")
	}
}
