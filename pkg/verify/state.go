package verify

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// StateOf returns what the pod of the Job waits for, or the end of its container.
func StateOf(pod *corev1.Pod) (string, *corev1.ContainerStateTerminated) {
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		switch {
		case status.Name != container:
		case status.State.Terminated != nil:
			return "", status.State.Terminated
		case status.State.Waiting != nil && status.State.Waiting.Message != "":
			return fmt.Sprintf("%s: %s", status.State.Waiting.Reason, status.State.Waiting.Message), nil
		case status.State.Waiting != nil:
			return status.State.Waiting.Reason, nil
		default:
			return "Kong starts", nil
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return "the pod cannot be scheduled: " + condition.Message, nil
		}
	}
	return "the pod has not started", nil
}
