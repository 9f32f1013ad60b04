// Package uninjectedcontroller reports pods that request plugins, but were created without a call of the webhook. The
// webhook was down with failurePolicy Ignore, its configuration was missing, or kongdao was not installed yet. These
// pods run without their plugins, and nothing else says so.
package uninjectedcontroller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
)

// Controller records an Event for each pod that lacks its plugins, and counts these pods.
type Controller struct {
	Pods       *clusterstate.UninjectedPods
	Exclusions clusterstate.Exclusions
	Events     *events.Recorder

	mutex sync.Mutex
	// reported are the UIDs of the pods that count, by pod.
	reported map[types.NamespacedName]types.UID
}

// The delays before a failed reconciliation runs again.
const (
	minRetryDelay = time.Second
	maxRetryDelay = time.Minute
)

// RegisterMetrics registers the number of pods. Only the leader counts them.
func (c *Controller) RegisterMetrics(registry prometheus.Registerer) error {
	uninjected := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kongdao_uninjected_pods",
		Help: "Pods that request plugins, but were created without a call of the webhook.",
	}, func() float64 { return float64(c.count()) })
	if err := registry.Register(uninjected); err != nil {
		return fmt.Errorf("register the metric kongdao_uninjected_pods: %w", err)
	}
	return nil
}

// SetUp registers the controller with a manager. Only the leader runs it.
func (c *Controller) SetUp(to manager.Manager) error {
	err := builder.ControllerManagedBy(to).Named("uninjected-pods").
		WithOptions(controller.Options{
			NeedLeaderElection: new(true),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
				minRetryDelay, maxRetryDelay),
		}).
		WatchesRawSource(source.Func(c.subscribe)).
		Complete(c)
	if err != nil {
		return fmt.Errorf("set up the controller for uninjected pods: %w", err)
	}
	return nil
}

// subscribe follows the pods while this replica leads.
func (c *Controller) subscribe(
	ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
) error {
	context.AfterFunc(ctx, c.Pods.Subscribe(func(pod types.NamespacedName) {
		queue.Add(reconcile.Request{NamespacedName: pod})
	}))
	go c.Pods.Run(ctx)
	return nil
}

// Reconcile reports a pod once.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	key := request.NamespacedName
	pod, counts := c.Pods.Get(key)
	if !counts {
		c.remove(key)
		return reconcile.Result{}, nil
	}
	excluded, err := c.Exclusions.Excludes(ctx, key.Namespace)
	if err != nil {
		return reconcile.Result{}, err
	}
	if excluded {
		c.remove(key)
		return reconcile.Result{}, nil
	}
	if c.add(key, pod.UID) {
		c.Events.WarnAboutPod(pod.Owner, pod, events.PluginsMissing, "CreatePod", fmt.Sprintf(
			"pod %q has annotation %s, but not the plugins: kongdao was not called when the pod was created. "+
				"Check that the webhook is installed and ready, then replace the pod", key.Name, annotations.Plugins))
	}
	return reconcile.Result{}, nil
}

// add counts a pod. It reports whether the pod is new.
func (c *Controller) add(key types.NamespacedName, uid types.UID) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.reported == nil {
		c.reported = map[types.NamespacedName]types.UID{}
	}
	before, known := c.reported[key]
	c.reported[key] = uid
	return !known || before != uid
}

func (c *Controller) remove(key types.NamespacedName) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.reported, key)
}

func (c *Controller) count() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return len(c.reported)
}
