package clusterstate

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objectReader lists and watches objects of a kind, and reduces each as soon as it is read. So the memory does not
// depend on the number and size of objects that do not count (fact W6).
type objectReader struct {
	live client.WithWatch
	// namespace is "" for all namespaces.
	namespace string
	// fields is a field selector, "" for all objects. An object that no longer matches is reported as deleted.
	fields string
	// newList returns an empty list, which says what to read of the objects.
	newList func() client.ObjectList
	// reduce returns what to keep of an object. It returns false for an object that does not count. Only the key and the
	// version are then set.
	reduce func(runtime.Object) (reduced client.Object, counts bool)
}

// readerPageSize limits the objects in one read, if the API server does not stream them (fact P8).
const readerPageSize = 500

// newReflector returns a reflector that keeps the store up to date. The store gets objects of the type of kept.
func (r objectReader) newReflector(name string, kept any, store toolscache.ReflectorStore) *toolscache.Reflector {
	reflector := toolscache.NewReflectorWithOptions(
		&toolscache.ListWatch{ListWithContextFunc: r.list, WatchFuncWithContext: r.watch}, kept, store,
		toolscache.ReflectorOptions{Name: name})
	reflector.WatchListPageSize = readerPageSize
	return reflector
}

// notEnded selects the pods that can still run.
const notEnded = "status.phase!=Succeeded,status.phase!=Failed"

// list reads a page of objects.
func (r objectReader) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.FieldSelector = r.fields
	if options.ResourceVersion == "0" {
		options.ResourceVersion = "" // API servers ignore the limit for lists from their cache
	}
	page := r.newList()
	if err := r.live.List(ctx, page, &client.ListOptions{
		Namespace: r.namespace, Limit: options.Limit, Continue: options.Continue, Raw: &options,
	}); err != nil {
		return nil, err
	}
	reduced := &internalversion.List{ListMeta: metav1.ListMeta{
		ResourceVersion: page.GetResourceVersion(), Continue: page.GetContinue(),
		RemainingItemCount: page.GetRemainingItemCount(),
	}}
	err := meta.EachListItem(page, func(item runtime.Object) error {
		if object, counts := r.reduce(item); counts {
			reduced.Items = append(reduced.Items, object)
		}
		return nil
	})
	return reduced, err
}

// watch watches objects. An object that does not count is reported as deleted.
func (r objectReader) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.FieldSelector = r.fields
	watched, err := r.live.Watch(ctx, r.newList(), &client.ListOptions{Namespace: r.namespace, Raw: &options})
	if err != nil {
		return nil, err
	}
	return watch.Filter(watched, func(event watch.Event) (watch.Event, bool) {
		if event.Type == watch.Error {
			return event, true
		}
		reduced, counts := r.reduce(event.Object)
		switch object, ok := event.Object.(client.Object); {
		case event.Type == watch.Bookmark && ok:
			reduced.SetAnnotations(object.GetAnnotations()) // they mark the end of the initial list
		case !counts:
			event.Type = watch.Deleted
		}
		event.Object = reduced
		return event, true
	}), nil
}
