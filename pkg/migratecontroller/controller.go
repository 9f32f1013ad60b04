package migratecontroller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
)

// Controller does what plans say.
type Controller struct {
	// Client reads through the cache and writes; Live reads the API server.
	Client client.Client
	Live   client.Reader
	Pods   *clusterstate.InjectedPods
	// Releases yields the releases of a plugin in a namespace.
	Releases func(namespace, plugin string) []*catalog.Release
	Settings migrate.Settings
	Events   *events.Recorder
	Metrics  *Metrics
	Log      logr.Logger

	looks looks
}

// JobCache is what a cache may hold of Jobs: ours.
func JobCache(namespaces ...string) (cache.ByObject, error) {
	ours, err := labels.NewRequirement(annotations.Migration, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{}, fmt.Errorf("select Jobs by label %s: %w", annotations.Migration, err)
	}
	selected := cache.ByObject{Label: labels.NewSelector().Add(*ours), Transform: cache.TransformStripManagedFields()}
	for _, namespace := range namespaces {
		if selected.Namespaces == nil {
			selected.Namespaces = map[string]cache.Config{}
		}
		selected.Namespaces[namespace] = cache.Config{}
	}
	return selected, nil
}

// workers is how many databases are looked after at once.
const workers = 4

// SetUp registers the controller, which the leader alone runs.
func (c *Controller) SetUp(to manager.Manager) error {
	inQueue := func(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) func(clusterstate.DatabaseKey) {
		return func(where clusterstate.DatabaseKey) {
			queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: where.Namespace, Name: where.Database}})
		}
	}
	err := builder.ControllerManagedBy(to).Named("migrations").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, NeedLeaderElection: new(true)}).
		Watches(&v1alpha1.PluginMigration{}, handler.EnqueueRequestsFromMapFunc(placeOf)).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(placeOf)).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			c.Pods.Follow(inQueue(queue))
			return nil
		})).
		Complete(c)
	if err != nil {
		return fmt.Errorf("set up the controller of migrations: %w", err)
	}
	return nil
}

// placeOf is the place that a PluginMigration, or a Job of one, is about.
func placeOf(_ context.Context, object client.Object) []reconcile.Request {
	database := object.GetLabels()[annotations.Database]
	if database == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: database}}}
}

// Reconcile looks after one database in one namespace.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	where := clusterstate.DatabaseKey{Namespace: request.Namespace, Database: request.Name}
	world, err := c.gather(ctx, c.Client, where)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := world.Plan()
	if !onlyLifts(plan) {
		// The cache may be older than what was done last.
		if world, err = c.gather(ctx, c.Live, where); err != nil {
			return reconcile.Result{}, err
		}
		plan = world.Plan()
	}
	held := false
	if plan.Start != nil {
		if err := c.addUnwatched(ctx, where, &world); err != nil {
			return reconcile.Result{}, err
		}
		plan = world.Plan()
		held = plan.Start == nil
	}
	if err := c.do(ctx, where, world, plan); err != nil {
		if apierrors.IsConflict(err) {
			c.Log.V(1).Info("something has changed meanwhile", "namespace", where.Namespace, "database", where.Database, "why", err.Error())
			return reconcile.Result{RequeueAfter: 100 * time.Millisecond}, nil
		}
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: again(world, plan, held)}, nil
}

func onlyLifts(plan migrate.Plan) bool {
	return plan.Start == nil && len(plan.Create) == 0 && len(plan.Changes) == 0 && len(plan.Forget) == 0
}

// lookAgain is how often is looked at what no watch here tells: that a Job's pod
// cannot start, and that a pod is gone which was never injected, or outlived its Job.
const lookAgain = 15 * time.Second

// again is when to look again though nothing has happened. held says that pods
// which are not watched keep a Job from being started.
func again(world migrate.Snapshot, plan migrate.Plan, held bool) time.Duration {
	after := time.Duration(plan.Again) * time.Second
	unwatched := held || slices.ContainsFunc(world.Jobs, func(job migrate.Job) bool { return !job.Done })
	if unwatched && (after == 0 || lookAgain < after) {
		return lookAgain
	}
	return after
}
