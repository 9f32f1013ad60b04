package librarycontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// While copies of a waiting pod cannot be created, the controller retries after as long as the pod has waited, within
// these limits.
const (
	minRequeueDelay = 100 * time.Millisecond
	maxRequeueDelay = 10 * time.Second
	// silentWait is how long a pod may wait before an Event reports it: caches may be late.
	silentWait = 3 * time.Second
)

// reconcilePod removes the gate of a waiting pod when all its copies exist and are correct. For a pod that runs, it
// restores deleted copies: without them, the pod could not start again (fact V6: a pod whose ConfigMap is missing waits
// in ContainerCreating).
func (c *Controller) reconcilePod(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := c.Live.Get(ctx, key, &pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		return reconcile.Result{}, nil //nolint:nilerr // kongdao did not inject this pod: a person wrote the gate
	}
	err = c.ensureCopies(ctx, pod.Namespace, record)
	if !clusterstate.AwaitsCopies(&pod) {
		if err != nil {
			c.Log.Info("Cannot restore a copy that a pod mounts",
				"namespace", pod.Namespace, "pod", pod.Name, "error", err.Error())
		}
		return reconcile.Result{}, nil
	}
	if err == nil {
		return reconcile.Result{}, clusterstate.RemoveGate(ctx, c.Client, key, annotations.LibraryGate)
	}
	waited := c.Now().Sub(pod.CreationTimestamp.Time)
	if waited > silentWait {
		c.Log.Info("A pod waits for copies", "namespace", pod.Namespace, "pod", pod.Name, "error", err.Error())
		c.recordEvent(&pod, err)
	}
	return reconcile.Result{RequeueAfter: min(max(waited, minRequeueDelay), maxRequeueDelay)}, nil
}

// recordEvent records why a pod waits, on the controller of the pod if it has one.
func (c *Controller) recordEvent(pod *corev1.Pod, err error) {
	var about runtime.Object = pod
	if owner := metav1.GetControllerOf(pod); owner != nil {
		about = events.ReferenceTo(owner, pod.Namespace)
	}
	c.Events.Warn(about, "CopyFailed", "CopyRelease", err.Error())
}

// ensureCopies creates the missing copies of a pod. The error names all copies that it cannot create.
func (c *Controller) ensureCopies(ctx context.Context, namespace string, record mutate.InjectionRecord) error {
	policies, err := c.Policies.Of(ctx, namespace)
	if err != nil {
		return err
	}
	var failed []error
	for _, recorded := range record.Releases {
		if recorded.Library == "" || recorded.Library == namespace {
			continue
		}
		release, err := c.findRelease(policies, namespace, recorded)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for _, wanted := range release.Copies {
			failed = append(failed, c.ensureCopy(ctx, namespace, release, wanted))
		}
	}
	return errors.Join(failed...)
}

// findRelease returns the release in its library, if the policies allow the namespace to copy it. The injection record
// does not prove that: a user can forge it, and policies can change.
func (c *Controller) findRelease(
	policies []*policy.Policy, namespace string, recorded mutate.ReleaseRecord,
) (*catalog.Release, error) {
	ref := annotations.PluginRef{Name: recorded.Plugin, Version: recorded.Version}
	if !policy.MayCopy(policies, recorded.Library, ref) {
		return nil, fmt.Errorf("plugin %q: no policy lets namespace %q use it from library %q; "+
			"change the policies, or restart the workload", ref.String(), namespace, recorded.Library)
	}
	releases := c.Sources.Releases(recorded.Library, recorded.Plugin)
	i := slices.IndexFunc(releases, func(release *catalog.Release) bool {
		return release.Digest == recorded.Digest && release.Version == recorded.Version
	})
	if i < 0 {
		return nil, fmt.Errorf("plugin %q: library %q no longer has the release %s that the pod was admitted with; "+
			"publish it there again, or restart the workload", ref.String(), recorded.Library, recorded.Digest)
	}
	return releases[i].CopiedFrom(recorded.Library), nil
}
