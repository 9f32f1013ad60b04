package migratecontroller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
)

// Controller migrates databases. It reconciles one database in one namespace at a time.
type Controller struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live    client.Reader
	Pods    *clusterstate.InjectedPods
	Sources *clusterstate.Sources
	// Exclusions are the namespaces in which no Job starts.
	Exclusions clusterstate.Exclusions
	Settings   migrate.Settings
	Events     *events.Recorder
	Metrics    *Metrics
	Log        logr.Logger

	jobPods    jobPods
	livePlans  livePlans
	ungater    clusterstate.Ungater
	unusable   unusablePods
	finishable finishable
}

const (
	// maxConcurrentReconciles limits how many databases are reconciled at the same time. A reconciliation waits for the
	// API server most of the time.
	maxConcurrentReconciles = 16
	// eventDelay is how long a change of a pod waits, so that the changes of many pods of a database together cause one
	// plan.
	eventDelay = 100 * time.Millisecond
	// minRetryDelay is when the controller tries again after an error. Each further time is twice as long, up to
	// resyncInterval: an error for one pod must not delay the others for long.
	minRetryDelay = 10 * time.Millisecond
)

// workQueue holds the databases to reconcile.
type workQueue = workqueue.TypedRateLimitingInterface[clusterstate.DatabaseKey]

// SetUp registers the controller with a manager. Only the leader runs it.
func (c *Controller) SetUp(to manager.Manager) error {
	enqueueDatabase := handler.TypedEnqueueRequestsFromMapFunc[client.Object](databaseKeyOf)
	err := builder.TypedControllerManagedBy[clusterstate.DatabaseKey](to).Named("migrations").
		WithOptions(controller.TypedOptions[clusterstate.DatabaseKey]{
			MaxConcurrentReconciles: maxConcurrentReconciles,
			NeedLeaderElection:      new(true),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[clusterstate.DatabaseKey](
				minRetryDelay, resyncInterval),
		}).
		WithLogConstructor(logConstructor(to.GetLogger())).
		Watches(&v1alpha1.PluginMigration{}, enqueueDatabase).
		Watches(&batchv1.Job{}, enqueueDatabase).
		WatchesRawSource(source.TypedFunc[clusterstate.DatabaseKey](func(ctx context.Context, queue workQueue) error {
			context.AfterFunc(ctx, c.Pods.SubscribeToDatabases(func(key clusterstate.DatabaseKey) {
				queue.AddAfter(key, eventDelay)
			}))
			return nil
		})).
		Complete(c)
	if err != nil {
		return fmt.Errorf("set up the migrations controller: %w", err)
	}
	return nil
}

// logConstructor returns a function that adds the reconciled database to log lines. The function of the builder adds
// only keys of type reconcile.Request.
func logConstructor(log logr.Logger) func(*clusterstate.DatabaseKey) logr.Logger {
	log = log.WithValues("controller", "migrations")
	return func(key *clusterstate.DatabaseKey) logr.Logger {
		if key == nil {
			return log
		}
		return log.WithValues("namespace", key.Namespace, "database", key.Database)
	}
}

// databaseKeyOf returns the database of a PluginMigration or of a Job. It returns no key if the label is missing.
func databaseKeyOf(_ context.Context, object client.Object) []clusterstate.DatabaseKey {
	database := object.GetLabels()[annotations.Database]
	if database == "" {
		return nil
	}
	return []clusterstate.DatabaseKey{{Namespace: object.GetNamespace(), Database: database}}
}
