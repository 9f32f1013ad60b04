package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// CanRunJob returns all reasons why no Job may be made from a container of a pod, or nil. The view is that of the same
// pod. A Job runs what the pod runs, and the controller may create Jobs that the author of the pod may not create. So
// the pod must have passed admission with an injection:
//
//   - A kubelet may create mirror pods without the right to create Jobs. They skip most of admission (fact P4).
//   - Only mirror pods have no service account.
//   - The volumes and mounts of an injected pod match its injection record.
//
// Whether the namespace is excluded is not a property of the pod: see Snapshot.Excluded.
func CanRunJob(pod *corev1.Pod, view mutate.Pod, container *mutate.Container) error {
	var reasons []string
	if _, isMirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; isMirror {
		reasons = append(reasons, "it is a mirror pod")
	}
	if slices.ContainsFunc(pod.OwnerReferences, func(owner metav1.OwnerReference) bool { return owner.Kind == "Node" }) {
		reasons = append(reasons, "its owner is a Node")
	}
	if pod.Spec.ServiceAccountName == "" {
		reasons = append(reasons, "it has no service account")
	}
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	switch {
	case pod.Labels[annotations.Injected] != "true":
		reasons = append(reasons, fmt.Sprintf("it was not injected: label %s is not \"true\"", annotations.Injected))
	case err != nil:
		reasons = append(reasons, fmt.Sprintf("annotation %s is not an injection record", annotations.InjectionRecord))
	default:
		for _, mismatch := range mutate.RecordMismatches(view, container, record) {
			reasons = append(reasons, "it does not match its injection record: "+mismatch)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return errors.New(oneLine(strings.Join(reasons, "; ")))
}
