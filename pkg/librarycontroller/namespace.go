package librarycontroller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
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

// waitingPod is a pod whose copies cannot be provided, and why.
type waitingPod struct {
	*clusterstate.InjectedPod
	err error
}

// reconcileNamespace removes the gates of the waiting pods of a namespace whose copies all exist and are correct. For
// pods that run, it restores deleted copies: without them, the pods could not start again (fact V6: a pod whose
// ConfigMap is missing waits in ContainerCreating).
func (c *Controller) reconcileNamespace(ctx context.Context, key namespaceKey) (reconcile.Result, error) {
	if !c.synced() {
		return reconcile.Result{RequeueAfter: minCleanupDelay}, nil
	}
	users := c.Pods.CopyUsers(string(key))
	if len(users) == 0 {
		return reconcile.Result{}, nil
	}
	excluded, errExcluded := c.Exclusions.Excludes(ctx, string(key))
	policies, errPolicies := c.Policies.Of(ctx, string(key))
	if err := errors.Join(errExcluded, errPolicies); err != nil {
		return reconcile.Result{}, err
	}
	if excluded {
		return reconcile.Result{RequeueAfter: c.report(excludedPods(users))}, nil
	}
	provider := copyProvider{controller: c, namespace: string(key), policies: policies, provided: map[string]error{}}
	var ready []clusterstate.GatedPod
	var waiting []waitingPod
	for _, pod := range users {
		if !pod.AwaitsCopies && c.Sources.CopiesExist(pod.Namespace, pod.Copies) {
			continue
		}
		switch err := provider.provide(ctx, pod); {
		case err == nil && pod.AwaitsCopies:
			ready = append(ready, clusterstate.GatedPod{NamespacedName: pod.Key(), UID: pod.UID})
		case err != nil && pod.AwaitsCopies:
			waiting = append(waiting, waitingPod{pod, err})
		case err != nil:
			c.Log.Info("Cannot restore a copy that a pod mounts",
				"namespace", pod.Namespace, "pod", pod.Name, "error", err.Error())
		}
	}
	_, err := c.ungater.Ungate(ctx, c.Client, annotations.LibraryGate, ready, c.Now())
	return reconcile.Result{RequeueAfter: c.report(waiting)}, err
}

// excludedPods returns the pods that wait for copies in an excluded namespace.
func excludedPods(users []*clusterstate.InjectedPod) []waitingPod {
	var waiting []waitingPod
	for _, pod := range users {
		if pod.AwaitsCopies {
			waiting = append(waiting, waitingPod{pod, fmt.Errorf(
				"kongdao does not work in namespace %q: its installation excludes the namespace", pod.Namespace)})
		}
	}
	return waiting
}

// synced reports whether the caches are complete. Otherwise pods or releases that exist could seem to be missing.
func (c *Controller) synced() bool { return c.Pods.Synced() && c.Sources.Synced() }

// report logs why pods wait and records an Event on each of their workloads. It returns when to try again.
func (c *Controller) report(waiting []waitingPod) time.Duration {
	var retry time.Duration
	reported := map[types.UID]bool{}
	for _, pod := range waiting {
		waited := c.Now().Sub(pod.CreationTimestamp.Time)
		delay := min(max(waited, minRequeueDelay), maxRequeueDelay)
		retry = min(cmp.Or(retry, delay), delay)
		workload, uid := workloadOf(pod.InjectedPod)
		if waited <= silentWait || reported[uid] {
			continue
		}
		reported[uid] = true
		c.Log.Info("A pod waits for copies", "namespace", pod.Namespace, "pod", pod.Name, "error", pod.err.Error())
		c.Events.Warn(workload, "CopyFailed", "CopyRelease", pod.err.Error())
	}
	return retry
}

// workloadOf returns the object that an Event about a pod is for: the controller of the pod if it has one.
func workloadOf(pod *clusterstate.InjectedPod) (runtime.Object, types.UID) {
	if pod.Owner != nil {
		return events.ReferenceTo(pod.Owner, pod.Namespace), pod.Owner.UID
	}
	return &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
	}, pod.UID
}

// copyProvider provides the copies of one namespace in one reconciliation.
type copyProvider struct {
	controller *Controller
	namespace  string
	policies   []*policy.Policy
	// provided holds the result for each release, because many pods need the same ones.
	provided map[string]error
}

// provide creates the missing copies of a pod. The error names all copies that it cannot create.
func (p *copyProvider) provide(ctx context.Context, pod *clusterstate.InjectedPod) error {
	var failed []error
	for _, recorded := range pod.LibraryReleases {
		if recorded.Library == p.namespace {
			continue
		}
		key := recorded.Library + " " + recorded.Plugin + " " + recorded.Version + " " + recorded.Digest
		err, done := p.provided[key]
		if !done {
			err = p.provideRelease(ctx, recorded)
			p.provided[key] = err
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// provideRelease creates the missing copies of a release. It reads only those from the API server that the cache does
// not have.
func (p *copyProvider) provideRelease(ctx context.Context, recorded mutate.ReleaseRecord) error {
	release, err := p.controller.findRelease(p.policies, p.namespace, recorded)
	if err != nil || p.controller.Sources.HasCopies(p.namespace, []*catalog.Release{release}) {
		return err
	}
	var failed []error
	for _, wanted := range release.Copies {
		failed = append(failed, p.controller.ensureCopy(ctx, p.namespace, release, wanted))
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
