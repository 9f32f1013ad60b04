package migrate

import (
	"crypto/sha256"
	"encoding/hex"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TemplateOf returns an identifier of the pod template that a pod was made from. Pods with the same controller and
// revision have the same. A pod without a controller has its own.
func TemplateOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	identity := string(pod.UID)
	if owner != nil {
		identity = string(owner.UID) + " " + pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] + " " +
			pod.Labels[appsv1.ControllerRevisionHashLabelKey]
	}
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:8])
}
