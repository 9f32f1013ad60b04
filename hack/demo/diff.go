package main

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// diff prints the differences between two pods of one Deployment.
func (s *shell) diff(before, after *corev1.Pod) error {
	var texts [2]string
	for i, pod := range []*corev1.Pod{before, after} {
		text, err := yaml.Marshal(templatePart(pod))
		if err != nil {
			return fmt.Errorf("write the pod %q as YAML: %w", pod.Name, err)
		}
		texts[i] = string(text)
	}
	for line := range strings.Lines(udiff.Unified("pod/"+before.Name, "pod/"+after.Name, texts[0], texts[1])) {
		colour := dim
		switch line[0] {
		case '+':
			colour = green
		case '-':
			colour = red
		}
		fmt.Fprintln(s, s.paint(colour, strings.TrimSuffix(line, "\n")))
	}
	return nil
}

// templatePart returns the parts of a pod that are equal for all pods of one template.
func templatePart(pod *corev1.Pod) any {
	pod = pod.DeepCopy()
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			containers[i].VolumeMounts = withoutToken(containers[i].VolumeMounts,
				func(mount corev1.VolumeMount) string { return mount.Name })
		}
	}
	delete(pod.Labels, "pod-template-hash")
	return map[string]any{
		"metadata": metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations},
		"spec": corev1.PodSpec{
			InitContainers: pod.Spec.InitContainers, Containers: pod.Spec.Containers,
			SchedulingGates: pod.Spec.SchedulingGates,
			Volumes:         withoutToken(pod.Spec.Volumes, func(volume corev1.Volume) string { return volume.Name }),
		},
	}
}

// withoutToken leaves out the volume of the service account token, because its name is different in each pod.
func withoutToken[T any](list []T, name func(T) string) []T {
	var rest []T
	for _, item := range list {
		if !strings.HasPrefix(name(item), "kube-api-access-") {
			rest = append(rest, item)
		}
	}
	return rest
}
