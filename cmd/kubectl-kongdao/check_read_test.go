package main

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestHasLostFields injects a pod, and then removes what another webhook could remove.
func TestHasLostFields(t *testing.T) {
	source, err := os.ReadFile("testdata/inject-json/source.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifest := string(source) + `---
apiVersion: v1
kind: Pod
metadata: {name: kong, namespace: default, annotations: {kongdao.io/plugins: tally}}
spec:
  containers: [{name: sidecar, image: envoy}, {name: proxy, image: "kong:3.9", env: [{name: KONG_PG_HOST, value: pg}]}]
`
	injected := succeed(t, manifest, "inject", "-f", "-")
	_, document, _ := strings.Cut(injected, "---\n")
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		want   bool
	}{
		"unchanged":    {func(*corev1.Pod) {}, false},
		"no mounts":    {func(pod *corev1.Pod) { pod.Spec.Containers[1].VolumeMounts = nil }, true},
		"no variables": {func(pod *corev1.Pod) { pod.Spec.Containers[1].Env = nil }, true},
		"ended": {func(pod *corev1.Pod) {
			pod.Spec.Containers[1].Env = nil
			pod.Status.Phase = corev1.PodSucceeded
		}, false},
		"no record": {func(pod *corev1.Pod) { pod.Annotations = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var pod corev1.Pod
			if err := yaml.Unmarshal([]byte(document), &pod); err != nil {
				t.Fatal(err)
			}
			test.change(&pod)
			if got := hasLostFields(&pod); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
