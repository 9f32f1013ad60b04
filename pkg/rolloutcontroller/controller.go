package rolloutcontroller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
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
)

// Controller moves workloads to new releases.
type Controller struct {
	// Client reads PluginMigrations from the cache, and writes to the API server.
	Client client.Client
	// Live reads the API server.
	Live       client.Reader
	Sources    *clusterstate.Sources
	Exclusions clusterstate.Exclusions
	// Policies is nil if PluginPolicies are disabled.
	Policies *clusterstate.NamespacePolicies
	// RunsMigrations reports whether kongdao runs migrations.
	RunsMigrations bool
	Events         *events.Recorder
	Log            logr.Logger
	Now            func() time.Time

	followers map[string]*follower
	settling  settling
	// reported has what was reported by workload. Only the worker uses it.
	reported map[workloadKey]reported
}

// Follow says which workloads the controller reads. The client watches without a cache.
func (c *Controller) Follow(live client.WithWatch, namespaces []string) {
	c.followers = newFollowers(live, c.Policies != nil, namespaces)
}

// workloadKey is the key of the controller.
type workloadKey struct {
	kind string
	types.NamespacedName
}

type workQueue = workqueue.TypedRateLimitingInterface[workloadKey]

// The delays before a failed reconciliation runs again.
const (
	minRetryDelay = time.Second
	maxRetryDelay = time.Minute
)

// SetUp registers the controller with a manager. Only the leader runs it.
func (c *Controller) SetUp(to manager.Manager) error {
	set := builder.TypedControllerManagedBy[workloadKey](to).Named("rollouts").
		WithOptions(controller.TypedOptions[workloadKey]{
			NeedLeaderElection: new(true),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[workloadKey](
				minRetryDelay, maxRetryDelay),
		}).
		WithLogConstructor(func(*workloadKey) logr.Logger { return to.GetLogger().WithValues("controller", "rollouts") }).
		WatchesRawSource(source.TypedFunc[workloadKey](c.subscribe))
	if c.RunsMigrations {
		set = set.Watches(&v1alpha1.PluginMigration{}, c.enqueue(func(object client.Object) string {
			return object.GetNamespace()
		}))
	}
	if c.Policies != nil {
		set = set.Watches(&v1alpha1.PluginPolicy{}, c.enqueue(func(client.Object) string { return "" }),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
			Watches(&corev1.Namespace{}, c.enqueue(client.Object.GetName),
				builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	if err := set.Complete(reconcile.TypedFunc[workloadKey](c.reconcile)); err != nil {
		return fmt.Errorf("set up the controller for rollouts: %w", err)
	}
	return nil
}

// enqueue returns a handler that enqueues the workloads of a namespace, or all if it is "".
func (c *Controller) enqueue(
	namespaceOf func(client.Object) string,
) handler.TypedEventHandler[client.Object, workloadKey] {
	return handler.TypedEnqueueRequestsFromMapFunc[client.Object](
		func(_ context.Context, object client.Object) []workloadKey { return c.keys(namespaceOf(object)) })
}

// keys returns the keys of the workloads in a namespace, or of all if it is "".
func (c *Controller) keys(namespace string) []workloadKey {
	var keys []workloadKey
	for kind, follower := range c.followers {
		for _, key := range follower.Keys() {
			if namespace == "" || namespace == key.Namespace {
				keys = append(keys, workloadKey{kind, key})
			}
		}
	}
	return keys
}

// subscribe follows workloads and sources while this replica leads.
func (c *Controller) subscribe(ctx context.Context, queue workQueue) error {
	for kind, follower := range c.followers {
		context.AfterFunc(ctx, follower.Subscribe(func(key types.NamespacedName) { queue.Add(workloadKey{kind, key}) }))
		go follower.Run(ctx)
	}
	context.AfterFunc(ctx, c.Sources.SubscribeToPlugins(func(plugin types.NamespacedName) {
		c.settling.note(plugin, c.Now())
		for _, key := range c.keys(c.Policies.UsersOf(plugin.Namespace)) {
			queue.Add(key)
		}
	}))
	return nil
}
