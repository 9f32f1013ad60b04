package clusterstate

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// configMapPageSize limits the ConfigMaps in one page of the first list. Each can have 1 MiB, and needs three times
	// as much while it is decoded.
	configMapPageSize = 20
	// objectPageSize limits other objects in one page of the first list.
	objectPageSize = 500
)

// NewInformer is the type of cache.Options.NewInformer.
type NewInformer = func(
	toolscache.ListerWatcher, runtime.Object, time.Duration, toolscache.Indexers,
) toolscache.SharedIndexInformer

// PagedInformers returns the option NewInformer of a cache. Its informers read their first list in pages, and reduce
// each page before they read the next one. Otherwise API servers without streaming lists send the whole list in one
// answer: 100 ConfigMaps of 900 KiB need 318 MB (fact P8). Where the API server has streaming lists, the informers use
// them. The transforms are those of byObject.
func PagedInformers(byObject map[client.Object]cache.ByObject) NewInformer {
	transforms := map[reflect.Type]toolscache.TransformFunc{}
	for object, options := range byObject {
		transforms[reflect.TypeOf(object)] = options.Transform
	}
	return func(
		lists toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
	) toolscache.SharedIndexInformer {
		pages := listPager{
			lister: toolscache.ToListerWatcherWithContext(lists), size: objectPageSize,
			transform: transforms[reflect.TypeOf(object)],
		}
		if _, ok := object.(*corev1.ConfigMap); ok {
			pages.size = configMapPageSize
		}
		return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
			ListWithContextFunc: pages.list, WatchFuncWithContext: pages.lister.WatchWithContext,
		}, object, resync, indexers)
	}
}

// listPager reads lists page by page.
type listPager struct {
	lister toolscache.ListerWatcherWithContext
	size   int64
	// transform reduces an object. It may be nil.
	transform toolscache.TransformFunc
}

// list returns all pages as one list of transformed objects. With a resource version, an API server would answer from
// its cache, with the whole list.
func (p listPager) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.ResourceVersion, options.ResourceVersionMatch = "", ""
	options.Limit = p.size
	all := &internalversion.List{}
	for {
		page, err := p.lister.ListWithContext(ctx, options)
		if err != nil {
			return nil, err // with its type: the reflector starts again if the resource version has expired
		}
		if err := meta.EachListItem(page, func(item runtime.Object) error { return p.add(all, item) }); err != nil {
			return nil, err
		}
		position, err := meta.ListAccessor(page)
		if err != nil {
			return nil, fmt.Errorf("read a page of %T: %w", page, err)
		}
		if options.Continue = position.GetContinue(); options.Continue == "" {
			all.ResourceVersion = position.GetResourceVersion()
			return all, nil
		}
	}
}

// add adds a transformed object to a list. A transform that returns something else than an object is left to the
// informer.
func (p listPager) add(all *internalversion.List, item runtime.Object) error {
	if p.transform == nil {
		all.Items = append(all.Items, item)
		return nil
	}
	transformed, err := p.transform(item)
	if err != nil {
		return fmt.Errorf("transform a %T: %w", item, err)
	}
	if object, ok := transformed.(runtime.Object); ok {
		item = object
	}
	all.Items = append(all.Items, item)
	return nil
}
