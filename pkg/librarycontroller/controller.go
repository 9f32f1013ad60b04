package librarycontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/policy"
)

// Policies finds the policies that select a namespace.
type Policies interface {
	Of(ctx context.Context, namespace string) ([]*policy.Policy, error)
}

// Controller creates, restores and deletes copies.
type Controller struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live     client.Reader
	Pods     *clusterstate.InjectedPods
	Sources  *clusterstate.Sources
	Policies Policies
	Events   *events.Recorder
	Log      logr.Logger
	Now      func() time.Time
	// Retention is how long a copy stays after nothing needs it: a pod that needs it may not be created yet.
	Retention time.Duration

	// enqueue adds a pod to the work queue. It is nil until the controller for pods has started.
	enqueue atomic.Pointer[func(types.NamespacedName)]
	// unneededSince is when the cleanup first saw that nothing needs a copy. Only the cleanup uses it.
	unneededSince map[types.NamespacedName]time.Time
}

type workQueue[Key comparable] = workqueue.TypedRateLimitingInterface[Key]

// allCopies is the only key of the cleanup, which looks at all copies together.
type allCopies struct{}

const (
	// maxConcurrentReconciles limits how many pods are reconciled at the same time.
	maxConcurrentReconciles = 4
	// resyncInterval is the longest time between two cleanups, because the cleanup gets no events about pods.
	resyncInterval = 20 * time.Second
	// minRetryDelay is the delay before a failed cleanup runs again. It doubles up to resyncInterval.
	minRetryDelay = time.Second
)

// SetUp registers the controller for pods and the cleanup with a manager. Only the leader runs them.
func (c *Controller) SetUp(to manager.Manager) error {
	return errors.Join(c.setUpPods(to), c.setUpCleanup(to))
}

func (c *Controller) setUpPods(to manager.Manager) error {
	err := builder.TypedControllerManagedBy[types.NamespacedName](to).Named("library").
		WithOptions(controller.TypedOptions[types.NamespacedName]{
			MaxConcurrentReconciles: maxConcurrentReconciles,
			NeedLeaderElection:      new(true),
		}).
		WithLogConstructor(podLogger(to.GetLogger())).
		WatchesRawSource(source.TypedFunc[types.NamespacedName](c.subscribe)).
		Complete(reconcile.TypedFunc[types.NamespacedName](c.reconcilePod))
	if err != nil {
		return fmt.Errorf("set up the library controller: %w", err)
	}
	return nil
}

// podLogger returns a function that adds the reconciled pod to log lines. The builder's own function does this only for
// keys of type reconcile.Request.
func podLogger(log logr.Logger) func(*types.NamespacedName) logr.Logger {
	log = log.WithValues("controller", "library")
	return func(key *types.NamespacedName) logr.Logger {
		if key == nil {
			return log
		}
		return log.WithValues("namespace", key.Namespace, "pod", key.Name)
	}
}

// subscribe enqueues the pods that wait for copies, and the pods whose copies are deleted.
func (c *Controller) subscribe(ctx context.Context, queue workQueue[types.NamespacedName]) error {
	enqueue := func(pod types.NamespacedName) { queue.Add(pod) }
	c.enqueue.Store(&enqueue)
	context.AfterFunc(ctx, c.Pods.SubscribeToWaitingPods(enqueue))
	context.AfterFunc(ctx, c.Sources.SubscribeToDeletedCopies(func(deleted types.NamespacedName) {
		c.enqueueUser(deleted)
	}))
	return nil
}

// enqueueUser enqueues one pod that mounts a missing copy, because one pod is enough to restore it. Pods that wait for
// copies are in the queue already.
func (c *Controller) enqueueUser(missing types.NamespacedName) {
	enqueue := c.enqueue.Load()
	if enqueue == nil || !c.Pods.IsCopyUsed(missing) {
		return
	}
	for _, pod := range c.Pods.CopyUsers(missing.Namespace) {
		if !pod.AwaitsCopies && slices.Contains(pod.Copies, missing.Name) {
			(*enqueue)(pod.Key())
			return
		}
	}
}

func (c *Controller) setUpCleanup(to manager.Manager) error {
	toAll := handler.TypedEnqueueRequestsFromMapFunc[client.Object](func(context.Context, client.Object) []allCopies {
		return []allCopies{{}}
	})
	err := builder.TypedControllerManagedBy[allCopies](to).Named("library-cleanup").
		WithOptions(controller.TypedOptions[allCopies]{
			NeedLeaderElection: new(true),
			RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[allCopies](minRetryDelay, resyncInterval),
		}).
		WithLogConstructor(func(*allCopies) logr.Logger {
			return to.GetLogger().WithValues("controller", "library-cleanup")
		}).
		Watches(&v1alpha1.PluginPolicy{}, toAll, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.TypedFunc[allCopies](func(_ context.Context, queue workQueue[allCopies]) error {
			queue.Add(allCopies{}) // copies may have been unneeded or deleted while no replica led
			return nil
		})).
		Complete(reconcile.TypedFunc[allCopies](c.cleanUp))
	if err != nil {
		return fmt.Errorf("set up the cleanup of copies: %w", err)
	}
	return nil
}
