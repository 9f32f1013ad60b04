package certs

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// watch makes the manager call the reconciler at the start, and when a Secret or a webhook configuration changes. This
// happens in all replicas, not only in the leader, because each replica serves the certificate.
func watch(manager manager.Manager, reconciler reconcile.Reconciler) error {
	request := reconcile.Request{} // always the same, because there is only one certificate
	enqueue := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{request}
	})
	start := func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(request)
		return nil
	}
	err := builder.ControllerManagedBy(manager).Named("certificates").
		WithOptions(controller.Options{NeedLeaderElection: new(false)}).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, enqueue).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, enqueue).
		Watches(&corev1.Secret{}, enqueue).
		WatchesRawSource(source.Func(start)).
		Complete(reconciler)
	if err != nil {
		return fmt.Errorf("watch the Secret and the webhook configurations: %w", err)
	}
	return nil
}
