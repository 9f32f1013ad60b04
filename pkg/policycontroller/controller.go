package policycontroller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// Controller writes the webhook configuration for policies and the statuses of PluginPolicies.
type Controller struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// WebhookConfiguration is the name of the installation's MutatingWebhookConfiguration.
	WebhookConfiguration string
	// KeepCABundle keeps the caBundle of the webhook for policies, because pkg/certs writes it.
	KeepCABundle bool
	Metrics      *Metrics
	Log          logr.Logger
	Now          func() time.Time
}

// allPolicies is the only key of the controller. All policies share one webhook and one count of the pods.
type allPolicies struct{}

const (
	// resyncInterval is the shortest time between two counts: no event reports that a pod was created or deleted.
	resyncInterval = 20 * time.Second
	// pauseFactor is the smallest ratio of a pause to the count before it, because counting loads the API server.
	pauseFactor = 50
	// retryDelay is the delay before a failed reconciliation runs again. After errors other than conflicts it doubles, up
	// to resyncInterval.
	retryDelay = time.Second
)

// SetUp registers the controller with a manager. Only the leader runs it.
func (c *Controller) SetUp(to manager.Manager) error {
	toAll := handler.TypedEnqueueRequestsFromMapFunc[client.Object](func(context.Context, client.Object) []allPolicies {
		return []allPolicies{{}}
	})
	err := builder.TypedControllerManagedBy[allPolicies](to).Named("policies").
		WithOptions(controller.TypedOptions[allPolicies]{
			NeedLeaderElection: new(true),
			RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[allPolicies](retryDelay, resyncInterval),
		}).
		WithLogConstructor(func(*allPolicies) logr.Logger {
			return to.GetLogger().WithValues("controller", "policies")
		}).
		Watches(&v1alpha1.PluginPolicy{}, toAll, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, toAll).
		Complete(c)
	if err != nil {
		return fmt.Errorf("set up the policies controller: %w", err)
	}
	return nil
}

// Reconcile updates the webhook configuration and the statuses of all policies. An error in the first does not stop
// the second.
func (c *Controller) Reconcile(ctx context.Context, _ allPolicies) (reconcile.Result, error) {
	policies, err := clusterstate.ReadPolicies(ctx, c.Client)
	if err != nil {
		return reconcile.Result{}, err
	}
	start := time.Now()
	webhookErr := c.webhook().ensure(ctx, policies.HavePlugins())
	if apierrors.IsConflict(webhookErr) {
		return reconcile.Result{RequeueAfter: retryDelay}, nil
	}
	err = errors.Join(webhookErr, c.updateStatuses(ctx, policies, webhookErr))
	switch {
	case isConflict(err):
		return reconcile.Result{RequeueAfter: retryDelay}, nil
	case err != nil:
		return reconcile.Result{}, err
	case len(policies.Items) == 0:
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(resyncInterval, pauseFactor*time.Since(start))}, nil
}

// isConflict reports whether all errors that are joined in err are conflicts with another writer.
func isConflict(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return apierrors.IsConflict(err)
	}
	for _, one := range joined.Unwrap() {
		if !isConflict(one) {
			return false
		}
	}
	return true
}
