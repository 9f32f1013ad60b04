package decision_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/test/goldens"
)

type spec = v1alpha1.PluginPolicySpec

// compiled returns the policies of these specs, by name.
func compiled(t *testing.T, specs map[string]spec) []*policy.Policy {
	t.Helper()
	var policies []*policy.Policy
	for name, spec := range specs {
		object := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
		compiled, err := policy.Compile(object)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, compiled)
	}
	return policies
}

// published returns a lookup of releases that are written as namespace/plugin@version.
func published(releases ...string) policy.ReleaseLookup {
	var index catalog.Index
	for _, text := range releases {
		namespace, plugin, _ := strings.Cut(text, "/")
		name, version, _ := strings.Cut(plugin, "@")
		index.Put(catalog.NewSource(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: strings.ReplaceAll(plugin, "@", "-"),
				Labels: map[string]string{annotations.Plugin: name, annotations.PluginVersion: version},
			},
			Immutable: new(true),
			Data:      map[string]string{"handler.lua": "return {}", "schema.lua": "return {}"},
		}))
	}
	return index.Releases
}

// kongPod returns the JSON of a Kong pod with annotations. Their names have no prefix.
func kongPod(t *testing.T, annotated map[string]string) []byte {
	t.Helper()
	pod := corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}}}
	for name, value := range annotated {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, annotations.Prefix+name, value)
	}
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// viewOf returns what a decision reads of a pod.
func viewOf(t *testing.T, text []byte) mutate.Pod {
	t.Helper()
	view, err := mutate.DecodePod(text)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// admit decides about a pod in namespace "kong".
func admit(t *testing.T, pod []byte, cluster decision.Cluster) decision.Decision {
	t.Helper()
	admitted, err := decision.Admit(decision.Pod{Namespace: "kong", View: viewOf(t, pod)}, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return admitted
}

// lines describes a decision, sorted.
func lines(decision decision.Decision) []string {
	lines := []string{}
	for _, release := range decision.Releases {
		line := "gets " + annotations.PluginRef{Name: release.Plugin, Version: release.Version}.String()
		if release.Library != "" {
			line += " of " + release.Library
		}
		if len(decision.Denials) == 0 {
			lines = append(lines, line)
		}
	}
	for _, denied := range decision.Denials {
		lines = append(lines, "denied: "+denied.Message)
	}
	for _, warning := range decision.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	for _, one := range decision.Effects {
		lines = append(lines, fmt.Sprintf("policy %s: %s", one.Policy, one.Kind))
	}
	for namespace, plugins := range decision.NotFound {
		lines = append(lines, fmt.Sprintf("not found in %s: %s", namespace, strings.Join(sets.List(plugins), " ")))
	}
	slices.Sort(lines)
	return lines
}

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
