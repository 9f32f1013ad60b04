package controllers

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// edgePod returns a Kong pod with the label that the policy of TestPolicyGivesPlugins selects, and with annotations in
// pairs of name and value.
func edgePod(namespace, name string, pairs ...string) *corev1.Pod {
	made := kongPod(namespace, name)
	made.Labels = map[string]string{"tier": "edge"}
	for pair := range slices.Chunk(pairs, 2) {
		metav1.SetMetaDataAnnotation(&made.ObjectMeta, pair[0], pair[1])
	}
	return made
}

// edited returns a pod after an edit.
func edited(pod *corev1.Pod, edit func(*corev1.Pod)) *corev1.Pod {
	edit(pod)
	return pod
}

// TestPolicyGivesPlugins proves which pods get the plugins of a policy: the Kong pods that it selects, with and without
// an annotation, and no others.
func TestPolicyGivesPlugins(t *testing.T) {
	t.Parallel()
	ns, other := shared.CreateNamespace(t), shared.CreateNamespace(t)
	source(t, ns, quiet, "1.0.0")
	source(t, ns, "own", "1.0.0")
	createPolicy(t, "gives", policySpec{
		Plugins: plugins(quiet), PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "edge"}},
	}, ns)
	wantKongPlugins(t, edgePod(ns, "kong"), "bundled,quiet")
	hasStep := func(pod *corev1.Pod) { pod.Labels[annotations.Step] = "up" }
	ofJob := ownedBy("batch/v1", "Job")
	for name, test := range map[string]struct {
		pod    *corev1.Pod
		want   string
		reason string
	}{
		"annotation": {
			edgePod(ns, "kong", annotations.Plugins, "own"), "bundled,own,quiet", "the requested plugins come first",
		},
		"opted out": {edgePod(ns, "kong", annotations.Inject, "false"), "", "the policy permits it"},
		"opted out, with a request": {
			edgePod(ns, "kong", annotations.Inject, "false", annotations.Plugins, "own"), "bundled,own", "the request stays",
		},
		"other labels":    {kongPod(ns, "kong"), "", "the pod is not selected"},
		"other namespace": {edgePod(other, "kong"), "", "the namespace is not selected"},
		"no Kong": {edited(edgePod(ns, "web"), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Image = "nginx"
		}), "", "the pod bypasses the webhook"},
		"migration Job": {
			edited(edited(edgePod(ns, "kong"), hasStep), ofJob), "", "kongdao's Jobs have the plugins that they migrate for",
		},
		"label of a migration Job": {edited(edgePod(ns, "kong"), hasStep), "bundled,quiet", "a label does not prove it"},
		"other Job": {
			edited(edgePod(ns, "kong"), ofJob), "bundled,quiet",
			"Kong's chart runs migrations in Jobs (fact K21), and they need the plugins",
		},
		"Kong by its variables": {edited(edgePod(ns, "kong"), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Image = "mirror/gateway:1"
			pod.Spec.Containers[0].Env = []corev1.EnvVar{
				{Name: "KONG_DATABASE", Value: "off"}, {Name: "KONG_PROXY_LISTEN", Value: "off"},
			}
		}), "bundled,quiet", "images can have other names"},
	} {
		t.Run(name, func(t *testing.T) {
			created, err := createDryRun(t.Context(), test.pod)
			if err != nil {
				t.Fatal(err)
			}
			if got := kongPlugins(created); got != test.want {
				t.Errorf("KONG_PLUGINS is %q, want %q: %s", got, test.want, test.reason)
			}
		})
	}
}

// TestPoliciesCombine proves that two policies make one request, and that a pod is denied if they require different
// versions. The denial names both policies.
func TestPoliciesCombine(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	source(t, ns, quiet, "1.0.0")
	source(t, ns, quiet, "2.0.0")
	source(t, ns, "other", "1.0.0")
	createPolicy(t, "a", policySpec{Plugins: plugins(quiet, "other")}, ns)
	second := createPolicy(t, "b", policySpec{Plugins: plugins(quiet + "@2.0.0")}, ns)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,other,quiet")
	createPolicy(t, "c", policySpec{Plugins: plugins(quiet + "@1.0.0")}, ns)
	wantDenied(t, kongPod(ns, "kong"),
		`plugin "quiet": policy "c-`+ns+`" requires version "1.0.0"`, `policy "b-`+ns+`" requires version "2.0.0"`)
	remove(t, second)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,other,quiet")
}
