package librarycontroller

import (
	"context"
	"errors"
	"fmt"
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
	// Exclusions are the namespaces that get no copies.
	Exclusions clusterstate.Exclusions
	Events     *events.Recorder
	Log        logr.Logger
	Now        func() time.Time
	// Retention is how long a copy stays after nothing needs it: a pod that needs it may not be created yet.
	Retention time.Duration

	// enqueue adds a namespace to the work queue. It is nil until the controller for namespaces has started.
	enqueue atomic.Pointer[func(namespaceKey)]
	ungater clusterstate.Ungater
	// unneededSince is when the cleanup first saw that nothing needs a copy. Only the cleanup uses it.
	unneededSince map[types.NamespacedName]time.Time
}

type workQueue[Key comparable] = workqueue.TypedRateLimitingInterface[Key]

// namespaceKey is the name of a namespace with pods that use copies. One reconciliation handles all of them together:
// they need the same copies, and two workers would create the same copy.
type namespaceKey string

// allCopies is the only key of the cleanup, which looks at all copies together.
type allCopies struct{}

const (
	// maxConcurrentReconciles limits how many namespaces are reconciled at the same time. A reconciliation waits for the
	// API server most of the time.
	maxConcurrentReconciles = 16
	// resyncInterval is the longest time between two cleanups, because the cleanup gets no events about pods.
	resyncInterval = 20 * time.Second
	// minRetryDelay is the delay before a failed cleanup runs again. It doubles up to resyncInterval.
	minRetryDelay = time.Second
)

// SetUp registers the controller for namespaces and the cleanup with a manager. Only the leader runs them.
func (c *Controller) SetUp(to manager.Manager) error {
	return errors.Join(c.setUpNamespaces(to), c.setUpCleanup(to))
}

func (c *Controller) setUpNamespaces(to manager.Manager) error {
	err := builder.TypedControllerManagedBy[namespaceKey](to).Named("library").
		WithOptions(controller.TypedOptions[namespaceKey]{
			MaxConcurrentReconciles: maxConcurrentReconciles,
			NeedLeaderElection:      new(true),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[namespaceKey](
				minRequeueDelay, maxRequeueDelay),
		}).
		WithLogConstructor(namespaceLogger(to.GetLogger())).
		WatchesRawSource(source.TypedFunc[namespaceKey](c.subscribe)).
		Complete(reconcile.TypedFunc[namespaceKey](c.reconcileNamespace))
	if err != nil {
		return fmt.Errorf("set up the library controller: %w", err)
	}
	return nil
}

// namespaceLogger returns a function that adds the reconciled namespace to log lines. The builder's own function does
// this only for keys of type reconcile.Request.
func namespaceLogger(log logr.Logger) func(*namespaceKey) logr.Logger {
	log = log.WithValues("controller", "library")
	return func(key *namespaceKey) logr.Logger {
		if key == nil {
			return log
		}
		return log.WithValues("namespace", string(*key))
	}
}

// subscribe enqueues the namespaces with pods that wait for copies, and those where a copy is deleted that pods use.
func (c *Controller) subscribe(ctx context.Context, queue workQueue[namespaceKey]) error {
	enqueue := func(namespace namespaceKey) { queue.Add(namespace) }
	c.enqueue.Store(&enqueue)
	context.AfterFunc(ctx, c.Pods.SubscribeToWaitingPods(func(pod types.NamespacedName) {
		enqueue(namespaceKey(pod.Namespace))
	}))
	context.AfterFunc(ctx, c.Sources.SubscribeToDeletedCopies(c.enqueueUsers))
	return nil
}

// enqueueUsers enqueues the namespace of a missing copy, if pods there use it.
func (c *Controller) enqueueUsers(missing types.NamespacedName) {
	if enqueue := c.enqueue.Load(); enqueue != nil && c.Pods.IsCopyUsed(missing) {
		(*enqueue)(namespaceKey(missing.Namespace))
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
