package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// Controller keeps the webhook configuration for policies, and their statuses.
type Controller struct {
	// Client reads through the cache and writes; Live reads the API server.
	Client client.Client
	Live   client.Reader
	// Configuration is the name of the installation's MutatingWebhookConfiguration.
	Configuration string
	// KeepsBundle says that pkg/certs keeps the caBundles.
	KeepsBundle bool
	// System is kongdao's own namespace, in which nothing gets plugins.
	System   string
	Refusals *Refusals
	Library  *Library
	Log      logr.Logger
}

// lookAgain is how often what there is, is counted anew: pods come and go
// without a policy's knowing.
const lookAgain = 20 * time.Second

// SetUp registers the controller, which the leader alone runs.
func (c *Controller) SetUp(to manager.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	err := builder.ControllerManagedBy(to).Named("policies").
		WithOptions(controller.Options{NeedLeaderElection: new(true)}).
		Watches(&v1alpha1.PluginPolicy{}, one, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, one).
		Complete(c)
	if err != nil {
		return fmt.Errorf("set up the controller of policies: %w", err)
	}
	return nil
}

// Reconcile looks after all policies: there are few, and what is counted of one
// is mostly what is counted of all.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var list v1alpha1.PluginPolicyList
	if err := c.Client.List(ctx, &list); err != nil {
		return reconcile.Result{}, fmt.Errorf("read the policies: %w", err)
	}
	compiled := map[string]*policy.Policy{}
	invalid := map[string]error{}
	gives := false
	for i := range list.Items {
		one, err := policy.Compile(&list.Items[i])
		if err != nil {
			invalid[list.Items[i].Name] = err
			continue
		}
		compiled[one.Name] = one
		gives = gives || len(one.Plugins) > 0
	}
	err := errors.Join(c.configure(ctx, gives), c.Library.collect(ctx, compiled))
	if len(list.Items) > 0 {
		err = errors.Join(err, c.count(ctx, list.Items, compiled, invalid))
	}
	switch {
	case err != nil && isConflict(err):
		return reconcile.Result{RequeueAfter: time.Second}, nil
	case err != nil:
		return reconcile.Result{}, err
	case len(list.Items) == 0 && !c.Library.hasCopies():
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: lookAgain}, nil
}

// isConflict reports whether all that went wrong is that somebody else was first.
func isConflict(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // what errors.Join gives
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
