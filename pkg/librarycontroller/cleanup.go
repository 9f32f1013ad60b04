package librarycontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// minCleanupDelay is the shortest time between two cleanups.
const minCleanupDelay = time.Second

// cleanUp deletes the copies that neither a pod nor a policy has needed for the retention time. It also enqueues
// namespaces with pods that mount copies which were deleted while no replica led.
func (c *Controller) cleanUp(ctx context.Context, _ allCopies) (reconcile.Result, error) {
	if !c.synced() {
		return reconcile.Result{RequeueAfter: minCleanupDelay}, nil
	}
	policies, err := clusterstate.ReadPolicies(ctx, c.Client)
	if err != nil {
		return reconcile.Result{}, err
	}
	existing := map[types.NamespacedName]bool{}
	unneeded, delay := map[types.NamespacedName]time.Time{}, resyncInterval
	var failed []error
	for _, source := range c.Sources.Copies() {
		key := types.NamespacedName{Namespace: source.Namespace, Name: source.Name}
		existing[key] = true
		if c.Pods.IsCopyUsed(key) {
			continue
		}
		wanted, err := c.isWanted(ctx, key, policies)
		if err != nil || wanted {
			failed = append(failed, err)
			continue
		}
		since, ok := c.unneededSince[key]
		if !ok {
			since = c.Now()
		}
		if left := c.Retention - c.Now().Sub(since); left > 0 {
			unneeded[key], delay = since, min(delay, left)
			continue
		}
		failed = append(failed, c.deleteCopy(ctx, key))
	}
	c.unneededSince = unneeded
	for _, key := range c.Pods.UsedCopies() {
		if !existing[key] {
			c.enqueueUsers(key)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(delay, minCleanupDelay)}, nil
}

// isWanted reports whether a policy would give the content of a copy to the next Kong pod of the namespace.
func (c *Controller) isWanted(
	ctx context.Context, copyKey types.NamespacedName, policies *clusterstate.PolicySet,
) (bool, error) {
	var namespace corev1.Namespace
	if err := c.Client.Get(ctx, client.ObjectKey{Name: copyKey.Namespace}, &namespace); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil // the namespace is being deleted, and the copy with it
		}
		return false, fmt.Errorf("read namespace %q: %w", copyKey.Namespace, err)
	}
	for _, selecting := range policies.Of(namespace.Name, namespace.Labels) {
		if selecting.Library == "" || selecting.Audits {
			continue
		}
		for _, ref := range selecting.Plugins {
			if slices.Contains(c.copyNames(selecting.Library, ref), copyKey.Name) {
				return true, nil
			}
		}
	}
	return false, nil
}

// copyNames returns the names of the copies of the releases in a library that match a reference.
func (c *Controller) copyNames(library string, ref annotations.PluginRef) []string {
	var names []string
	for _, release := range c.Sources.Releases(library, ref.Name) {
		if ref.Version != "" && ref.Version != release.Version {
			continue
		}
		for _, copied := range release.CopiedFrom(library).Copies {
			names = append(names, copied.Name)
		}
	}
	return names
}

func (c *Controller) deleteCopy(ctx context.Context, key types.NamespacedName) error {
	c.Log.Info("Deleting a copy that neither a pod nor a policy needs", "configMap", key.String())
	err := c.Client.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete ConfigMap %q: %w", key.String(), err)
	}
	return nil
}
