package decision_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/test/goldens"
)

// TestAdmitWithPolicies proves which policies cause a denial, and that an audit predicts what enforcement does. It also
// proves where missing plugins have to be looked up again.
func TestAdmitWithPolicies(t *testing.T) {
	const (
		unknown = `denied: plugin "x": no ConfigMap in namespace "kong" has the label kongdao.io/plugin=x; ` +
			`create one with "kubectl kongdao pack"`
		notInLibrary = `plugin "a": a policy requires it from library "l", where no ConfigMap has the label ` +
			`kongdao.io/plugin=a; publish it there with "kubectl kongdao pack"`
	)
	requiring := spec{Plugins: []v1alpha1.PolicyPlugin{{Name: "a"}}}
	library := spec{Plugins: requiring.Plugins, Library: "l"}
	audited := spec{Plugins: requiring.Plugins, Mode: v1alpha1.Audit}
	auditedLibrary := spec{Plugins: requiring.Plugins, Library: "l", Mode: v1alpha1.Audit}
	for name, test := range map[string]struct {
		policies  map[string]spec
		annotated map[string]string
		published []string
		want      []string
		reason    string
	}{
		"no policy": {
			annotated: map[string]string{"plugins": "a"}, published: []string{"kong/a@1"}, want: []string{"gets a@1"},
		},
		"a policy gives a plugin": {
			policies: map[string]spec{"p": requiring}, published: []string{"kong/a@1"},
			want: []string{"gets a@1", "policy p: injected"},
		},
		"a policy gives a plugin from a library": {
			policies: map[string]spec{"p": library}, published: []string{"l/a@1", "kong/a@2"},
			want: []string{"gets a@1 of l", "policy p: injected"},
		},
		"the annotation requests a plugin of a library": {
			policies:  map[string]spec{"p": {Allowed: []string{"a"}, Library: "l"}},
			annotated: map[string]string{"plugins": "a"}, published: []string{"l/a@1"}, want: []string{"gets a@1 of l"},
		},
		"the policy causes the denial": {
			policies:  map[string]spec{"p": library},
			annotated: map[string]string{"plugins": "b"}, published: []string{"kong/a@1", "kong/b@1"},
			want:   []string{"denied: " + notInLibrary, "policy p: denied", "not found in l: a"},
			reason: "without the policy the pod gets what it requests; the pod's own namespace does not matter",
		},
		"the pod causes the denial": {
			policies:  map[string]spec{"p": requiring},
			annotated: map[string]string{"plugins": "x"}, published: []string{"kong/a@1"},
			want: []string{unknown, "not found in kong: x"}, reason: "it is denied without the policy too",
		},
		"a malformed annotation": {
			policies:  map[string]spec{"p": requiring},
			annotated: map[string]string{"plugins": "a,,b"}, published: []string{"kong/a@1", "kong/b@1"},
			want: []string{
				`denied: annotation kongdao.io/plugins: element 2: the element is empty; ` +
					`separate plugin names with single commas`,
			},
			reason: "the pod causes it",
		},
		"a policy audits": {
			policies: map[string]spec{"p": audited}, published: []string{"kong/a@1"},
			want: []string{`warning: audited policy "p" would give this pod the plugin "a"`, "policy p: would_change"},
		},
		"a policy audits and its plugin does not exist": {
			policies: map[string]spec{"p": auditedLibrary},
			want: []string{
				`warning: audited policy "p" would give this pod the plugin "a"`,
				"warning: audited policies would deny this pod: " + notInLibrary,
				"policy p: would_deny", "not found in l: a",
			},
			reason: "enforcement would be an outage",
		},
		"a policy audits and the pod is denied": {
			policies:  map[string]spec{"p": audited},
			annotated: map[string]string{"plugins": "x"},
			want: []string{
				unknown, `warning: audited policy "p" would give this pod the plugin "a"`,
				"policy p: would_change", "not found in kong: x",
			},
			reason: "the simulated request is not resolved",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := decision.Cluster{Policies: compiled(t, test.policies), Releases: published(test.published...)}
			pod := kongPod(t, test.annotated)
			first := admit(t, pod, cluster)
			if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), lines(first)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			second := admit(t, goldens.Apply(t, pod, first.Patch), cluster) // as under reinvocation
			if len(second.Patch) > 0 || len(first.Denials) == 0 && len(second.Releases) != len(first.Releases) {
				t.Errorf("a second admission patches the pod again: %v", second.Patch)
			}
		})
	}
}
