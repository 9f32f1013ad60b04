package policycontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Library copies libraries' releases to the namespaces of the pods that need
// them, lets these go when the copies are right, and takes away what nobody
// needs any more.
type Library struct {
	Client client.Client
	Live   client.Reader
	Pods   *clusterstate.InjectedPods
	// Policies yields those that count for a namespace.
	Policies func(ctx context.Context, namespace string) ([]*policy.Policy, error)
	Sources  *clusterstate.Sources
	Events   *events.Recorder
	Log      logr.Logger
	Now      func() time.Time
	// Retention is how long a copy stays that nobody needs: a pod may be on its way.
	Retention time.Duration

	// unneeded is since when nobody needs a copy. Only collect looks at it.
	unneeded map[types.NamespacedName]time.Time
	// look has a pod looked at, once the controller runs.
	look atomic.Pointer[func(types.NamespacedName)]
}

// SetUp registers the controller, which the leader alone runs: a reconciliation
// is about one pod that mounts copies.
func (l *Library) SetUp(to manager.Manager) error {
	err := builder.ControllerManagedBy(to).Named("library").
		WithOptions(controller.Options{NeedLeaderElection: new(true), MaxConcurrentReconciles: 4}).
		WatchesRawSource(source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			look := func(pod types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: pod}) }
			l.look.Store(&look)
			context.AfterFunc(ctx, l.Pods.SubscribeToWaitingPods(look))
			context.AfterFunc(ctx, l.Sources.SubscribeToDeletedCopies(func(deleted types.NamespacedName) {
				l.missing(l.Pods.CopyUsers()[deleted])
			}))
			return nil
		})).
		Complete(l)
	if err != nil {
		return fmt.Errorf("set up the controller of libraries: %w", err)
	}
	return nil
}

// How soon is looked again for what a library lacks: first as caches may be late,
// of which nobody has to hear, then as people may be.
const (
	soonest = 100 * time.Millisecond
	late    = 3 * time.Second
	latest  = 10 * time.Second
)

// Reconcile lets a pod go when all copies that it mounts are there, and right; of
// one that runs, it puts those back that are gone, for the kubelet waits for them
// (V6).
func (l *Library) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := l.Live.Get(ctx, request.NamespacedName, &pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	mark, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		return reconcile.Result{}, nil //nolint:nilerr // nobody's pod: a gate that a person has written
	}
	if !clusterstate.AwaitsCopies(&pod) {
		if err := l.provide(ctx, pod.Namespace, mark); err != nil {
			l.Log.Info("a copy that a pod mounts is not put back", "namespace", pod.Namespace, "pod", pod.Name, "why", err.Error())
		}
		return reconcile.Result{}, nil
	}
	if err := l.provide(ctx, pod.Namespace, mark); err != nil {
		waits := l.Now().Sub(pod.CreationTimestamp.Time)
		if waits > late {
			l.Log.Info("a pod waits for its library", "namespace", pod.Namespace, "pod", pod.Name, "why", err.Error())
			l.tell(&pod, err)
		}
		return reconcile.Result{RequeueAfter: min(max(waits, soonest), latest)}, nil
	}
	return reconcile.Result{}, clusterstate.RemoveGate(ctx, l.Client, request.NamespacedName, annotations.LibraryGate)
}

// tell tells of why a pod waits, where people look for it.
func (l *Library) tell(pod *corev1.Pod, why error) {
	if owner := metav1.GetControllerOf(pod); owner != nil {
		l.Events.Warn(events.ReferenceTo(owner, pod.Namespace), "LibraryLacks", "CopyRelease", why.Error())
		return
	}
	l.Events.Warn(pod, "LibraryLacks", "CopyRelease", why.Error())
}

// provide sees to it that the copies of a pod's releases are in its namespace.
func (l *Library) provide(ctx context.Context, namespace string, mark mutate.InjectionRecord) error {
	policies, err := l.Policies(ctx, namespace)
	if err != nil {
		return err
	}
	var lacking []error
	for _, marked := range mark.Releases {
		if marked.Library == "" || marked.Library == namespace {
			continue
		}
		ref := annotations.PluginRef{Name: marked.Plugin, Version: marked.Version}
		if !policy.MayCopy(policies, marked.Library, ref) { // a mark can be forged, and a policy go
			lacking = append(lacking, fmt.Errorf("plugin %q: no policy lets pods of namespace %q have it from the library %q; roll the workload",
				ref.String(), namespace, marked.Library))
			continue
		}
		releases := l.Sources.Releases(marked.Library, marked.Plugin)
		at := slices.IndexFunc(releases, func(release *catalog.Release) bool {
			return release.Digest == marked.Digest && release.Version == marked.Version
		})
		if at < 0 {
			lacking = append(lacking, fmt.Errorf("plugin %q: library %q no longer has the release %s that the pod was admitted with; publish it there again, or roll the workload",
				marked.Plugin, marked.Library, marked.Digest))
			continue
		}
		release := releases[at].CopiedFrom(marked.Library)
		for _, wanted := range release.Copies {
			if err := l.copy(ctx, namespace, release, wanted); err != nil {
				lacking = append(lacking, err)
			}
		}
	}
	return errors.Join(lacking...)
}
