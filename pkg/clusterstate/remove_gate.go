package clusterstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RemoveGate removes a scheduling gate from a pod. A strategic merge patch removes only this gate, and keeps those of
// other controllers (fact K35). The patch has the pod's UID, so the API server rejects it for another pod (fact P5).
// The next pod of a StatefulSet has the same name. RemoveGate ignores a pod that no longer exists.
func RemoveGate(
	ctx context.Context, writer client.Writer, pod GatedPod, gate string, options ...client.PatchOption,
) error {
	patch, err := gatePatch(pod.UID, gate)
	if err != nil {
		return fmt.Errorf("remove gate %q from pod %q: %w", gate, pod.String(), err)
	}
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = writer.Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, patch), options...)
	if err != nil && !apierrors.IsNotFound(err) && !isOtherUID(err) {
		return fmt.Errorf("remove gate %q from pod %q: %w", gate, pod.String(), err)
	}
	return nil
}

// gatePatch returns a strategic merge patch that removes a gate from the pod with a UID.
func gatePatch(uid types.UID, gate string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": uid},
		"spec":     map[string]any{"schedulingGates": []any{map[string]any{"$patch": "delete", "name": gate}}},
	})
}

// isOtherUID reports whether the API server rejected a patch because the object has another UID. The field is
// immutable, and it can be a precondition.
func isOtherUID(err error) bool {
	if apierrors.IsConflict(err) {
		return strings.Contains(err.Error(), "UID in precondition")
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsInvalid(err) || status.ErrStatus.Details == nil {
		return false
	}
	return slices.ContainsFunc(status.ErrStatus.Details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Field == "metadata.uid"
	})
}
