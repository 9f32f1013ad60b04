package certs

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// watch has reconciler called at the start, and when the webhook configuration
// or one of the kinds changes. Every replica does it, leader or not: each
// has to serve what the Secret holds.
func watch(manager manager.Manager, reconciler reconcile.Reconciler, kinds ...client.Object) error {
	// There is one thing to look after, whatever has changed.
	request := reconcile.Request{}
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{request}
	})
	all := builder.ControllerManagedBy(manager).Named("certificates").
		WithOptions(controller.Options{NeedLeaderElection: new(false)}).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, one).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(request)
			return nil
		}))
	for _, kind := range kinds {
		all = all.Watches(kind, one)
	}
	if err := all.Complete(reconciler); err != nil {
		return fmt.Errorf("watch what the certificate depends on: %w", err)
	}
	return nil
}
