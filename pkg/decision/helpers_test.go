package decision_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
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
			Data:      map[string]string{"handler.lua": "return {}", "schema.lua": "return { fields = {} }"},
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
