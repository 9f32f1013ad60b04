package migratecontroller

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

const (
	// resyncInterval is how often the controller reads what it does not watch: the pods of Jobs, and pods that were
	// never injected.
	resyncInterval = 15 * time.Second
	// conflictRetryInterval is when the controller tries again after another client changed an object first.
	conflictRetryInterval = 100 * time.Millisecond
)

// Reconcile plans what to do next for one database in one namespace, and does it.
func (c *Controller) Reconcile(ctx context.Context, key clusterstate.DatabaseKey) (reconcile.Result, error) {
	snapshot, err := c.readSnapshot(ctx, c.Client, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := snapshot.Plan()
	if !onlyUngates(plan) {
		if snapshot, err = c.readSnapshot(ctx, c.Live, key); err != nil {
			return reconcile.Result{}, err
		}
		plan = snapshot.Plan()
	}
	blocked := false
	if plan.StartJob != nil {
		if err := c.addUnwatchedPods(ctx, key, &snapshot); err != nil {
			return reconcile.Result{}, err
		}
		plan = snapshot.Plan()
		blocked = plan.StartJob == nil
	}
	if err := c.apply(ctx, key, snapshot, plan); err != nil {
		if apierrors.IsConflict(err) {
			c.Log.V(1).Info("Another client changed an object first. The controller tries again",
				"namespace", key.Namespace, "database", key.Database, "conflict", err.Error())
			return reconcile.Result{RequeueAfter: conflictRetryInterval}, nil
		}
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: requeueAfter(snapshot, plan, blocked)}, nil
}

// onlyUngates reports whether a plan at most removes gates. This is safe even if the cache is old.
func onlyUngates(plan migrate.Plan) bool {
	return plan.StartJob == nil && len(plan.Create) == 0 && len(plan.StatusUpdates) == 0 && len(plan.Prune) == 0
}

// requeueAfter returns when to reconcile again even if no watch reports a change. Set blocked if unwatched pods prevent
// a Job from starting.
func requeueAfter(snapshot migrate.Snapshot, plan migrate.Plan, blocked bool) time.Duration {
	unwatched := blocked || slices.ContainsFunc(snapshot.Jobs, func(job migrate.Job) bool { return !job.Done })
	if unwatched && (plan.RequeueAfter == 0 || resyncInterval < plan.RequeueAfter) {
		return resyncInterval
	}
	return plan.RequeueAfter
}
