package migrate_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// TestCanRunJob proves that no Job is made from a pod that did not pass admission with an injection.
func TestCanRunJob(t *testing.T) {
	proxy := func(pod *corev1.Pod) *corev1.Container {
		for i := range pod.Spec.Containers {
			if pod.Spec.Containers[i].Name == "proxy" {
				return &pod.Spec.Containers[i]
			}
		}
		t.Fatal("the pod has no proxy")
		return nil
	}
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"admitted": {func(*corev1.Pod) {}, nil},
		"mirror pod": {func(pod *corev1.Pod) {
			pod.Annotations[corev1.MirrorPodAnnotationKey] = "0123"
		}, []string{"it is a mirror pod"}},
		"mirror pod with an empty annotation": {func(pod *corev1.Pod) {
			pod.Annotations[corev1.MirrorPodAnnotationKey] = ""
		}, []string{"it is a mirror pod"}},
		"owned by a node": {func(pod *corev1.Pod) {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "node-1"}}
		}, []string{"its owner is a Node"}},
		"owned by a ReplicaSet": {func(pod *corev1.Pod) {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "kong"}}
		}, nil},
		"no service account": {func(pod *corev1.Pod) {
			pod.Spec.ServiceAccountName = ""
		}, []string{"it has no service account"}},
		"no label": {func(pod *corev1.Pod) {
			delete(pod.Labels, annotations.Injected)
		}, []string{"it was not injected"}},
		"no record": {func(pod *corev1.Pod) {
			delete(pod.Annotations, annotations.InjectionRecord)
		}, []string{"is not an injection record"}},
		"no mounts": {func(pod *corev1.Pod) {
			proxy(pod).VolumeMounts = nil
		}, []string{`"/opt/kong/plugins/dao-test" is not mounted`, `"/opt/kong/plugins/dao-test/migrations" is not mounted`}},
		"host path": {func(pod *corev1.Pod) {
			for i := range pod.Spec.Volumes {
				pod.Spec.Volumes[i].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
			}
		}, []string{"files that are not from ConfigMaps of the release"}},
		"plugin not loaded": {func(pod *corev1.Pod) {
			variables := proxy(pod).Env
			variables[len(variables)-1].Value = "bundled"
		}, []string{`KONG_PLUGINS does not name plugin "dao-test"`}},
		"several reasons": {func(pod *corev1.Pod) {
			pod.Annotations[corev1.MirrorPodAnnotationKey] = "0123"
			pod.Spec.ServiceAccountName = ""
		}, []string{"it is a mirror pod", "it has no service account"}},
	} {
		pod := readPod(t, "testdata/chart/pod.yaml")
		test.change(pod)
		view := viewOf(t, pod)
		request, _ := annotations.Parse(view.Annotations)
		err := migrate.CanRunJob(pod, view, mutate.KongContainer(view, request))
		if (err == nil) != (len(test.want) == 0) {
			t.Errorf("%s: the error is %v, want %q", name, err, test.want)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error is %v, want %q", name, err, want)
			}
		}
	}
}
