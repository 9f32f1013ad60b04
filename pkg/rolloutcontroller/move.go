package rolloutcontroller

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	applyappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/rollout"
)

// moveOwner owns the annotations that move a workload. statusOwner owns the one that describes the rollout. They are
// two, because each apply of an owner removes the fields that it leaves out.
const (
	moveOwner   = client.FieldOwner("kongdao-rollouts")
	statusOwner = client.FieldOwner("kongdao-rollout-status")
)

// move writes the annotations of an outcome. It fails with a conflict if the workload has changed since it was read.
func (c *Controller) move(ctx context.Context, workload *followed, outcome rollout.Outcome) error {
	patch := patchOf(workload, outcome.Workload, outcome.Template, workload.ResourceVersion)
	if err := c.Client.Apply(ctx, patch, moveOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("move %s %q: %w", workload.Kind, client.ObjectKeyFromObject(workload), err)
	}
	return nil
}

// maxStatusBytes limits the status annotation.
const maxStatusBytes = 1024

// writeStatus writes the status annotation of a workload.
func (c *Controller) writeStatus(ctx context.Context, workload *followed, status string) error {
	if len(status) > maxStatusBytes {
		status = strings.ToValidUTF8(status[:maxStatusBytes], "") + "..."
	}
	own := map[string]string{annotations.RolloutStatus: status}
	err := c.Client.Apply(ctx, patchOf(workload, own, nil, ""), statusOwner, client.ForceOwnership)
	if err != nil && !apierrors.IsConflict(err) { // a conflict means that the workload is another one
		return fmt.Errorf("write the rollout status of %s %q: %w", workload.Kind, client.ObjectKeyFromObject(workload), err)
	}
	return nil
}

// patchOf returns the patch that sets annotations of a workload and its template. The UID prevents that it creates a
// workload.
func patchOf(workload *followed, own, template map[string]string, resourceVersion string) runtime.ApplyConfiguration {
	switch workload.Kind {
	case "StatefulSet":
		patch := applyappsv1.StatefulSet(workload.Name, workload.Namespace).WithUID(workload.UID).WithAnnotations(own)
		if template != nil {
			patch.WithResourceVersion(resourceVersion).WithSpec(applyappsv1.StatefulSetSpec().WithTemplate(
				applycorev1.PodTemplateSpec().WithAnnotations(template)))
		}
		return patch
	case "DaemonSet":
		patch := applyappsv1.DaemonSet(workload.Name, workload.Namespace).WithUID(workload.UID).WithAnnotations(own)
		if template != nil {
			patch.WithResourceVersion(resourceVersion).WithSpec(applyappsv1.DaemonSetSpec().WithTemplate(
				applycorev1.PodTemplateSpec().WithAnnotations(template)))
		}
		return patch
	}
	patch := applyappsv1.Deployment(workload.Name, workload.Namespace).WithUID(workload.UID).WithAnnotations(own)
	if template != nil {
		patch.WithResourceVersion(resourceVersion).WithSpec(applyappsv1.DeploymentSpec().WithTemplate(
			applycorev1.PodTemplateSpec().WithAnnotations(template)))
	}
	return patch
}
