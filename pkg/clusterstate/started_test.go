package clusterstate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestHasStarted proves which pods really ran.
func TestHasStarted(t *testing.T) {
	waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	running := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	ended := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}
	crashed := corev1.ContainerStatus{State: waiting.State, LastTerminationState: ended.State}
	for name, test := range map[string]struct {
		node       string
		init, main []corev1.ContainerStatus
		want       bool
	}{
		"created":                {want: false},
		"forged status, no node": {main: []corev1.ContainerStatus{running}, want: false},
		"scheduled":              {node: "node-1", want: false},
		"image is pulled":        {node: "node-1", main: []corev1.ContainerStatus{waiting}, want: false},
		"init container runs":    {node: "node-1", init: []corev1.ContainerStatus{running}, want: true},
		"runs":                   {node: "node-1", main: []corev1.ContainerStatus{waiting, running}, want: true},
		"ended":                  {node: "node-1", main: []corev1.ContainerStatus{ended}, want: true},
		"waits after a crash":    {node: "node-1", main: []corev1.ContainerStatus{crashed}, want: true},
	} {
		pod := &corev1.Pod{
			Spec:   corev1.PodSpec{NodeName: test.node},
			Status: corev1.PodStatus{InitContainerStatuses: test.init, ContainerStatuses: test.main},
		}
		if got := hasStarted(pod); got != test.want {
			t.Errorf("%s: hasStarted is %v, want %v", name, got, test.want)
		}
	}
}
