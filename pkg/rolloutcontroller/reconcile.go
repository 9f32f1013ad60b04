package rolloutcontroller

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/rollout"
)

// reconcile decides about a workload, and moves it.
func (c *Controller) reconcile(ctx context.Context, key workloadKey) (reconcile.Result, error) {
	workload, follows := c.followers[key.kind].Get(key.NamespacedName)
	if !follows {
		c.setReported(key, reported{})
		return reconcile.Result{}, nil
	}
	if excluded, err := c.Exclusions.Excludes(ctx, key.Namespace); err != nil || excluded {
		return reconcile.Result{}, err
	}
	facts, err := c.facts(ctx, workload)
	if err != nil {
		return reconcile.Result{}, err
	}
	outcome, err := rollout.Decide(rollout.Workload{
		Namespace: key.Namespace, Kind: key.kind, Name: key.Name,
		Annotations: workload.Annotations, Template: workload.template,
		Progress: workload.progress, Stuck: workload.stuck,
	}, facts)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("decide about %s %q: %w", key.kind, key.NamespacedName, err)
	}
	if outcome.State == rollout.Moves {
		err := c.move(ctx, workload, outcome)
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return reconcile.Result{RequeueAfter: minRetryDelay}, nil // the followed workload is old
		}
		if err != nil {
			outcome.State, outcome.IsDenied = rollout.Held, true
			outcome.Message = fmt.Sprintf("%s: waits, because the API server does not accept the change: %v",
				outcome.Message, err)
			return reconcile.Result{}, errors.Join(err, c.report(ctx, key, workload, outcome))
		}
		c.Log.Info("moved", "kind", key.kind, "workload", key.NamespacedName, "changes", outcome.Message)
	}
	if err := c.report(ctx, key, workload, outcome); err != nil {
		return reconcile.Result{}, err
	}
	if outcome.State == rollout.Unsettled {
		return reconcile.Result{RequeueAfter: settleDelay}, nil
	}
	return reconcile.Result{}, nil
}

// facts returns what a decision must know about the cluster.
func (c *Controller) facts(ctx context.Context, workload *followed) (rollout.Facts, error) {
	policies, err := c.Policies.Of(ctx, workload.Namespace)
	if err != nil {
		return rollout.Facts{}, err
	}
	return rollout.Facts{
		Cluster: decision.Cluster{
			Policies: policies, Releases: c.Sources.Releases, RunsMigrations: c.RunsMigrations,
		},
		Running: sync.OnceValues(func() ([]mutate.ReleaseRecord, error) {
			record, err := clusterstate.NewestRecord(ctx, c.Live, workload.Namespace, workload.selector)
			return record.Releases, err
		}),
		Migration: func(name string) *v1alpha1.PluginMigration {
			var migration v1alpha1.PluginMigration
			key := client.ObjectKey{Namespace: workload.Namespace, Name: name}
			if !c.RunsMigrations || c.Client.Get(ctx, key, &migration) != nil {
				return nil // the cache has none
			}
			return &migration
		},
		IsSettled: func(namespace, plugin string) bool {
			return c.settling.isSettled(types.NamespacedName{Namespace: namespace, Name: plugin}, c.Now())
		},
	}, nil
}
