package decision_test

import (
	"maps"
	"slices"
	"strings"
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

// TestPoliciesActOnKongOnly proves which pods without an annotation get the plugins of policies, and which containers
// in them.
func TestPoliciesActOnKongOnly(t *testing.T) {
	const (
		settings = `"env":[{"name":"KONG_PROXY_LISTEN","value":"0.0.0.0:8000"},{"name":"KONG_PG_HOST","value":"pg"}]`
		proxy    = `{"name":"proxy","image":"kong:3.9"}`
	)
	cluster := decision.Cluster{
		Policies: compiled(t, map[string]spec{"p": {Plugins: []v1alpha1.PolicyPlugin{{Name: "a"}}}}),
		Releases: published("kong/a@1"),
	}
	for name, test := range map[string]struct {
		containers string
		want       []string
		reason     string
	}{
		"image": {containers: proxy, want: []string{"/spec/containers/0"}},
		"two settings": {
			containers: `{"name":"gateway","image":"example.com/gateway:7",` + settings + `}`,
			want:       []string{"/spec/containers/0"}, reason: "no client of Kong has these settings",
		},
		"one setting": {
			containers: `{"name":"a","image":"a","env":[{"name":"KONG_PG_HOST","value":"pg"}]}`,
			reason:     "it can be a client of Kong's database",
		},
		"client of the Admin API": {
			containers: `{"name":"a","image":"a","env":[{"name":"KONG_ADMIN_URL"},{"name":"KONG_ADDR"},{"name":"KONG_TOKEN"}]}`,
			reason:     "an application that only calls Kong is neither denied nor injected (case 11)",
		},
		"ingress controller": {
			containers: `{"name":"a","image":"kong/kubernetes-ingress-controller:3.4",` + settings + `}`,
			reason:     "it does not run Kong (fact K19)",
		},
		"backup before Kong": {
			containers: `{"name":"backup","image":"postgres:16",` + settings + `},` + proxy,
			want:       []string{"/spec/containers/1"}, reason: "only Kong gets the plugin (case 26)",
		},
		"a container with one setting next to another with two": {
			containers: `{"name":"a","image":"a","env":[{"name":"KONG_PREFIX"}]},{"name":"b","image":"b",` + settings + `}`,
			want:       []string{"/spec/containers/1"}, reason: "the annotation requests nothing, so Kong must be certain",
		},
	} {
		t.Run(name, func(t *testing.T) {
			decided := admit(t, []byte(`{"spec":{"containers":[`+test.containers+`]}}`), cluster)
			changed := map[string]bool{}
			for _, operation := range decided.Patch {
				if elements := strings.SplitN(operation.Path, "/", 5); elements[2] == "containers" {
					changed[strings.Join(elements[:4], "/")] = true
				}
			}
			if got := slices.Sorted(maps.Keys(changed)); !slices.Equal(got, test.want) || len(decided.Denials) > 0 {
				t.Errorf("the decision changes %q and has the denials %v, want %q: %s", got, decided.Denials, test.want,
					test.reason)
			}
		})
	}
}
