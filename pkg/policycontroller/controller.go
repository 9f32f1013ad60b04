package policycontroller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
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
	"kongdao.io/kongdao/pkg/rollout"
	"kongdao.io/kongdao/pkg/scope"
)

// Controller writes the webhook configuration for policies and the statuses of PluginPolicies.
type Controller struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Pods are the pods to count. The controller runs them when the first policy gives plugins.
	Pods *clusterstate.KongPods
	// Scope is the namespaces to count.
	Scope scope.Scope
	// WebhookConfiguration is the name of the installation's MutatingWebhookConfiguration.
	WebhookConfiguration string
	// KeepCABundle keeps the caBundle of the webhook for policies, because pkg/certs writes it.
	KeepCABundle bool
	// Rollouts returns all automatic rollouts. It is nil if they are disabled.
	Rollouts func() []rollout.Report
	Metrics  *Metrics
	Events   *events.Recorder
	Log      logr.Logger
	Now      func() time.Time

	// reported has the uninjected pods that the last count reported, by the policy's name and the pod's UID.
	reported sets.Set[reportedPod]
	// followPods starts to follow the pods. It is nil until the controller has started.
	followPods func()
}

// allPolicies is the only key of the controller. All policies share one webhook and one count of the pods.
type allPolicies struct{}

const (
	// countInterval is how long a change of a pod, a namespace or a denial waits until the controller counts. So the
	// changes of a rollout together cause one count.
	countInterval = 5 * time.Second
	// resyncInterval is the longest time between two counts.
	resyncInterval = time.Minute
	// retryDelay is the delay before a failed reconciliation runs again, and until the pods are read. After errors other
	// than conflicts it doubles, up to resyncInterval.
	retryDelay = time.Second
)

// workQueue holds the only key, or nothing.
type workQueue = workqueue.TypedRateLimitingInterface[allPolicies]

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
		Watches(&v1alpha1.PluginPolicy{}, toAll, builder.WithPredicates(specChanged())).
		Watches(&v1alpha1.PluginPolicy{}, countLater{}, builder.WithPredicates(denialsChanged())).
		Watches(&corev1.Namespace{}, countLater{}, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, toAll).
		WatchesRawSource(source.TypedFunc[allPolicies](c.subscribe)).
		Complete(c)
	if err != nil {
		return fmt.Errorf("set up the policies controller: %w", err)
	}
	return nil
}

// subscribe counts the pods again some time after one of them changes.
func (c *Controller) subscribe(ctx context.Context, queue workQueue) error {
	c.followPods = sync.OnceFunc(func() { go c.Pods.Run(ctx) })
	context.AfterFunc(ctx, c.Pods.Subscribe(func(types.NamespacedName) { queue.AddAfter(allPolicies{}, countInterval) }))
	return nil
}

// Reconcile updates the webhook configuration and the statuses of all policies. An error in the first does not stop
// the second.
func (c *Controller) Reconcile(ctx context.Context, _ allPolicies) (reconcile.Result, error) {
	policies, err := clusterstate.ReadPolicies(ctx, c.Client)
	if err != nil {
		return reconcile.Result{}, err
	}
	if policies.HavePlugins() {
		c.followPods()
	}
	webhookErr := c.webhook().ensure(ctx, policies.HavePlugins())
	if apierrors.IsConflict(webhookErr) {
		return reconcile.Result{RequeueAfter: retryDelay}, nil
	}
	err = errors.Join(webhookErr, c.updateStatuses(ctx, policies, webhookErr))
	switch {
	case clusterstate.IsConflict(err):
		return reconcile.Result{RequeueAfter: retryDelay}, nil
	case err != nil:
		return reconcile.Result{}, err
	case len(policies.Items) == 0:
		return reconcile.Result{}, nil
	case !c.canCount(policies):
		return reconcile.Result{RequeueAfter: retryDelay}, nil
	}
	return reconcile.Result{RequeueAfter: resyncInterval}, nil
}

// canCount reports whether the pods are read, or no policy needs them.
func (c *Controller) canCount(policies *clusterstate.PolicySet) bool {
	return !policies.HavePlugins() || c.Pods.Synced()
}
