package migratecontroller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

const (
	// resyncInterval is how often the controller reads what it does not watch: the pods of Jobs, and pods that were
	// never injected.
	resyncInterval = 15 * time.Second
	// conflictRetryInterval is when the controller tries again after another client changed an object first.
	conflictRetryInterval = 100 * time.Millisecond
	// syncRetryInterval is when the controller tries again while the index of injected pods is not complete.
	syncRetryInterval = time.Second
	// busyRetryInterval is when the controller tries again while too many other plans read the API server.
	busyRetryInterval = 200 * time.Millisecond
)

// Reconcile plans what to do next for one database in one namespace, and does it. It first plans from the cache. Most
// of these plans do nothing, remove gates or change a message, and need nothing else. The others are made again from
// the API server.
func (c *Controller) Reconcile(ctx context.Context, key clusterstate.DatabaseKey) (reconcile.Result, error) {
	if !c.Pods.Synced() { // pods that run could seem to be missing
		return reconcile.Result{RequeueAfter: syncRetryInterval}, nil
	}
	cached, err := c.readCached(ctx, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := cached.Plan()
	if canUseCache(cached, plan) {
		return c.applyPlan(ctx, key, cached, plan, false)
	}
	// These pods do not have to wait for the API server. The live plan tries again what failed.
	errUngate := c.ungate(ctx, plan.Ungate)
	if !c.livePlans.begin() {
		if errUngate != nil {
			return reconcile.Result{}, errUngate
		}
		return reconcile.Result{RequeueAfter: busyRetryInterval}, nil
	}
	defer c.livePlans.end()
	return c.reconcileLive(ctx, key, plan.StartJob != nil)
}

// reconcileLive plans from the API server. Set startsJob if the plan from the cache starts a Job.
func (c *Controller) reconcileLive(
	ctx context.Context, key clusterstate.DatabaseKey, startsJob bool,
) (reconcile.Result, error) {
	snapshot, pods, err := c.readLive(ctx, key, startsJob)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := snapshot.Plan()
	blocked := false
	if plan.StartJob != nil {
		if pods == nil {
			if pods, err = c.readLivePods(ctx, key); err != nil {
				return reconcile.Result{}, err
			}
		}
		pods.replaceIn(&snapshot)
		plan = snapshot.Plan()
		blocked = plan.StartJob == nil
	}
	return c.applyPlan(ctx, key, snapshot, plan, blocked)
}

// applyPlan does what a plan says. Set blocked if live pods prevent a Job from starting that the index allows.
func (c *Controller) applyPlan(
	ctx context.Context, key clusterstate.DatabaseKey, snapshot migrate.Snapshot, plan migrate.Plan, blocked bool,
) (reconcile.Result, error) {
	c.finishable.set(key, plan.Finishable, snapshot.Now)
	if err := c.apply(ctx, key, snapshot, plan); err != nil {
		if clusterstate.IsConflict(err) {
			c.Log.V(1).Info("Another client changed an object first. The controller tries again",
				"namespace", key.Namespace, "database", key.Database, "conflict", err.Error())
			return reconcile.Result{RequeueAfter: conflictRetryInterval}, nil
		}
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: requeueAfter(snapshot, plan, blocked)}, nil
}

// canUseCache reports whether a plan is safe even if the cache is old. It is if it at most removes gates and changes
// messages: the API server rejects a status if the PluginMigration has changed.
func canUseCache(snapshot migrate.Snapshot, plan migrate.Plan) bool {
	if plan.StartJob != nil || plan.DeleteJob != nil || len(plan.Create) > 0 || len(plan.Prune) > 0 {
		return false
	}
	for i := range snapshot.Migrations {
		migration := &snapshot.Migrations[i]
		status, changes := plan.StatusUpdates[migration.Name]
		if changes && !equality.Semantic.DeepEqual(withoutMessages(&migration.Status), withoutMessages(&status)) {
			return false
		}
	}
	return true
}

// withoutMessages returns a status without its messages and without the reasons of conditions.
func withoutMessages(status *v1alpha1.PluginMigrationStatus) *v1alpha1.PluginMigrationStatus {
	stripped := status.DeepCopy()
	stripped.Message = ""
	for i := range stripped.Conditions {
		stripped.Conditions[i].Message, stripped.Conditions[i].Reason = "", ""
	}
	return stripped
}

// requeueAfter returns when to reconcile again even if no watch reports a change. Set blocked if live pods prevent a
// Job from starting that the index allows.
func requeueAfter(snapshot migrate.Snapshot, plan migrate.Plan, blocked bool) time.Duration {
	unwatched := blocked || slices.ContainsFunc(snapshot.Jobs, func(job migrate.Job) bool { return !job.Done })
	if unwatched && (plan.RequeueAfter == 0 || resyncInterval < plan.RequeueAfter) {
		return resyncInterval
	}
	return plan.RequeueAfter
}
