package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// published yields releases of plugins written as namespace/plugin@version.
func published(has ...string) Releases {
	var index catalog.Index
	for _, text := range has {
		namespace, plugin, _ := strings.Cut(text, "/")
		name, version, _ := strings.Cut(plugin, "@")
		index.Put(catalog.NewSource(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: strings.ReplaceAll(plugin, "@", "-"), Labels: map[string]string{annotations.Plugin: name, annotations.PluginVersion: version}},
			Immutable:  new(true),
			Data:       map[string]string{"handler.lua": "return {}", "schema.lua": "return {}"},
		}))
	}
	return index.Releases
}

// kongPod is one of Kong with annotations, their names without the prefix.
func kongPod(t *testing.T, given map[string]string) []byte {
	t.Helper()
	pod := corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}}}
	for name, value := range given {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, annotations.Prefix+name, value)
	}
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// view is what a decision sees of a pod.
func view(t *testing.T, text []byte) mutate.Pod {
	t.Helper()
	read, err := mutate.DecodePod(text)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// decided is what a decision comes to, a line each.
func decided(decision Decision) []string {
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
	for what, names := range map[string][]string{
		"giving": decision.Outcome.Giving, "denying": decision.Outcome.Denying, "would deny": decision.Outcome.WouldDeny, "auditing": decision.Outcome.Auditing,
	} {
		if len(names) > 0 {
			lines = append(lines, what+" "+strings.Join(names, " "))
		}
	}
	for namespace, plugins := range decision.Missing {
		lines = append(lines, fmt.Sprintf("missing in %s: %s", namespace, strings.Join(slices.Sorted(maps.Keys(plugins)), " ")))
	}
	slices.Sort(lines)
	return lines
}

// TestDecide proves what comes of policies together with what there is: whom a
// denial is put down to, that an audit foresees what enforcing it would come to,
// and where what is missing has to be looked for again. Whoever is decided on twice
// gets what is decided once.
func TestDecide(t *testing.T) {
	const unknown = `denied: plugin "x": no ConfigMap in namespace "kong" has the label kongdao.io/plugin=x; create one with "kubectl kongdao pack"`
	const notInLibrary = `plugin "a": a policy has it come from the library "l", where no ConfigMap is labelled kongdao.io/plugin=a; publish it there with "kubectl kongdao pack"`
	for name, test := range map[string]struct {
		policies map[string]spec
		given    map[string]string
		has      []string
		want     []string
		reason   string
	}{
		"no policy": {
			given: noted{"plugins": "a"}, has: []string{"kong/a@1"}, want: []string{"gets a@1"},
		},
		"given": {
			policies: map[string]spec{"p": wants("a")}, has: []string{"kong/a@1"}, want: []string{"gets a@1", "giving p"},
		},
		"from a library": {
			policies: map[string]spec{"p": from("l", wants("a"))}, has: []string{"l/a@1", "kong/a@2"}, want: []string{"gets a@1 of l", "giving p"},
		},
		"asked of a library": {
			policies: map[string]spec{"p": from("l", allows("a"))}, given: noted{"plugins": "a"}, has: []string{"l/a@1"}, want: []string{"gets a@1 of l"},
		},
		"the policy's fault": {
			policies: map[string]spec{"p": from("l", wants("a"))}, given: noted{"plugins": "b"}, has: []string{"kong/a@1", "kong/b@1"},
			want:   []string{"denied: " + notInLibrary, "denying p", "missing in l: a"},
			reason: "without it the pod could have what it asks for; and in its own namespace nobody has to look",
		},
		"the pod's fault": {
			policies: map[string]spec{"p": wants("a")}, given: noted{"plugins": "x"}, has: []string{"kong/a@1"},
			want: []string{unknown, "missing in kong: x"}, reason: "it would be denied without the policy too",
		},
		"a malformed annotation": {
			policies: map[string]spec{"p": wants("a")}, given: noted{"plugins": "a,,b"}, has: []string{"kong/a@1", "kong/b@1"},
			want: []string{`denied: annotation kongdao.io/plugins: element 2: the element is empty; separate plugin names with single commas`}, reason: "the pod's fault",
		},
		"audited": {
			policies: map[string]spec{"p": audited(wants("a"))}, has: []string{"kong/a@1"},
			want: []string{`warning: audited policy "p" would give this pod the plugin "a"`, "auditing p"},
		},
		"audited and not there": {
			policies: map[string]spec{"p": audited(from("l", wants("a")))},
			want: []string{
				`warning: audited policy "p" would give this pod the plugin "a"`, "warning: audited policies would deny this pod: " + notInLibrary,
				"auditing p", "would deny p", "missing in l: a",
			},
			reason: "to enforce it would be an outage",
		},
		"audited, and denied already": {
			policies: map[string]spec{"p": audited(wants("a"))}, given: noted{"plugins": "x"},
			want:   []string{unknown, `warning: audited policy "p" would give this pod the plugin "a"`, "auditing p", "missing in kong: x"},
			reason: "what it would come to is not asked",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var policies []*Policy
			for name, of := range test.policies {
				policies = append(policies, compiled(t, name, of))
			}
			text := kongPod(t, test.given)
			decision := Decide(policies, "kong", view(t, text), published(test.has...))
			if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), decided(decision)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			// As under reinvocation.
			again := Decide(policies, "kong", view(t, goldens.Apply(t, text, decision.Patch)), published(test.has...))
			if len(again.Patch) > 0 || len(decision.Denials) == 0 && len(again.Releases) != len(decision.Releases) {
				t.Errorf("decided on again, it gets %v", again.Patch)
			}
		})
	}
}
