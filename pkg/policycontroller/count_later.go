package policycontroller

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// countLater handles the events of objects that change often. The controller counts once for all events of
// countInterval.
type countLater struct{}

// Create implements handler.TypedEventHandler.
func (countLater) Create(_ context.Context, _ event.CreateEvent, queue workQueue) {
	queue.AddAfter(allPolicies{}, countInterval)
}

// Update implements handler.TypedEventHandler.
func (countLater) Update(_ context.Context, _ event.UpdateEvent, queue workQueue) {
	queue.AddAfter(allPolicies{}, countInterval)
}

// Delete implements handler.TypedEventHandler.
func (countLater) Delete(_ context.Context, _ event.DeleteEvent, queue workQueue) {
	queue.AddAfter(allPolicies{}, countInterval)
}

// Generic implements handler.TypedEventHandler.
func (countLater) Generic(_ context.Context, _ event.GenericEvent, queue workQueue) {
	queue.AddAfter(allPolicies{}, countInterval)
}

// specChanged selects the events of policies except the updates that do not change the spec. A policy that was deleted
// and created again while the watch was interrupted arrives as an update, possibly with the same generation. It has
// another UID.
func specChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(update event.UpdateEvent) bool {
		return update.ObjectOld.GetUID() != update.ObjectNew.GetUID() ||
			update.ObjectOld.GetGeneration() != update.ObjectNew.GetGeneration()
	}}
}

// denialsChanged selects the updates of policies in which a replica reports denials. Other updates of the status are
// the controller's own.
func denialsChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(update event.UpdateEvent) bool {
			return !slices.EqualFunc(denialsOf(update.ObjectOld), denialsOf(update.ObjectNew),
				func(a, b v1alpha1.PolicyDenials) bool { return equality.Semantic.DeepEqual(a, b) })
		},
	}
}

func denialsOf(object client.Object) []v1alpha1.PolicyDenials {
	if item, ok := object.(*v1alpha1.PluginPolicy); ok {
		return item.Status.Denials
	}
	return nil
}
