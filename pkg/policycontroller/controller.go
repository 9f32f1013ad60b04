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
	Denials     *Denials
	Library     *Library
	Metrics     *Metrics
	Log         logr.Logger
}

// lookAgain is how often what there is, is counted anew: pods come and go
// without a policy's knowing. Where counting takes long it is more seldom, so that
// it is a small part of what an API server has to do.
const (
	lookAgain = 20 * time.Second
	pauses    = 50
)

// SetUp registers the controller, which the leader alone runs.
func (c *Controller) SetUp(to manager.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	err := builder.ControllerManagedBy(to).Named("policies").
		WithOptions(controller.Options{
			NeedLeaderElection: new(true),
			// What fails must not keep all else from being counted.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, lookAgain),
		}).
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
	known := compile(list.Items)
	began := time.Now()
	uncalled := c.configure(ctx, known.gives())
	if apierrors.IsConflict(uncalled) {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	next, uncollected := c.Library.collect(ctx, known)
	err := errors.Join(uncalled, uncollected, c.count(ctx, known, uncalled))
	switch {
	case isConflict(err):
		return reconcile.Result{RequeueAfter: time.Second}, nil
	case err != nil:
		return reconcile.Result{}, err
	case len(list.Items) == 0 && !c.Library.hasCopies():
		return reconcile.Result{}, nil
	}
	pause := max(lookAgain, pauses*time.Since(began))
	if next > 0 {
		pause = min(pause, max(next, time.Second))
	}
	return reconcile.Result{RequeueAfter: pause}, nil
}

// policies are all that there are.
type policies struct {
	read []v1alpha1.PluginPolicy
	// compiled are those that can be read, by name, and invalid says why others cannot.
	compiled map[string]*policy.Policy
	invalid  map[string]error
}

func compile(read []v1alpha1.PluginPolicy) policies {
	all := policies{read: read, compiled: map[string]*policy.Policy{}, invalid: map[string]error{}}
	for i := range read {
		if one, err := policy.Compile(&read[i]); err != nil {
			all.invalid[read[i].Name] = err
		} else {
			all.compiled[one.Name] = one
		}
	}
	return all
}

// gives reports whether some policy gives pods what they do not ask for.
func (p policies) gives() bool {
	for _, one := range p.compiled {
		if len(one.Plugins) > 0 {
			return true
		}
	}
	return false
}

// selecting are those that count for a namespace with these labels.
func (p policies) selecting(labels map[string]string) []*policy.Policy {
	var selecting []*policy.Policy
	for _, one := range p.compiled {
		if one.SelectsNamespace(labels) {
			selecting = append(selecting, one)
		}
	}
	return selecting
}

// isConflict reports whether all that went wrong is that somebody else was first.
func isConflict(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error }) // what errors.Join gives
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
