package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Sources knows the plugins' sources of the cluster.
type Sources struct {
	index catalog.Index
	// copies are what the cache has of copies of libraries' releases.
	copies copies
	live   client.Reader
	// synced reports whether the index holds what the cluster held at the start.
	synced func() bool
}

// CacheOptions is what a cache needs so that Sources can be fed from it: it
// selects the ConfigMaps that are sources, and drops their contents before they
// are kept (W6). With namespaces it watches those alone, one watch each.
func CacheOptions(namespaces ...string) (cache.Options, error) {
	isSource, err := labels.NewRequirement(annotations.Plugin, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, fmt.Errorf("select sources by label %s: %w", annotations.Plugin, err)
	}
	kept := cache.ByObject{Label: labels.NewSelector().Add(*isSource), Transform: reduce}
	for _, namespace := range namespaces {
		if kept.Namespaces == nil {
			kept.Namespaces = map[string]cache.Config{}
		}
		kept.Namespaces[namespace] = cache.Config{}
	}
	return cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: kept}}, nil
}

// NewSources makes Sources that follow a cache with CacheOptions, and read
// through live, which must not be a cache.
func NewSources(ctx context.Context, followed cache.Informers, live client.Reader) (*Sources, error) {
	sources := &Sources{live: live}
	informer, err := followed.GetInformer(ctx, &corev1.ConfigMap{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch the ConfigMaps labelled %s: %w", annotations.Plugin, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    sources.put,
		UpdateFunc: func(_, changed any) { sources.put(changed) },
		DeleteFunc: sources.delete,
	})
	if err != nil {
		return nil, fmt.Errorf("watch the ConfigMaps labelled %s: %w", annotations.Plugin, err)
	}
	sources.synced = registration.HasSynced
	return sources, nil
}

// Synced reports whether everything that the cluster held at the start is known.
func (s *Sources) Synced() bool { return s.synced() }

// Releases yields the releases of a plugin in a namespace, as far as the cache
// knows.
func (s *Sources) Releases(namespace, plugin string) []*catalog.Release {
	return s.index.Releases(namespace, plugin)
}

// reduced is what the cache keeps of a ConfigMap. The metadata holds no more
// than the cache needs to tell objects and their versions apart.
type reduced struct {
	metav1.ObjectMeta
	source catalog.Source
}

// reduce is the cache's transform. It may see what it made before.
func reduce(object any) (any, error) {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return object, nil
	}
	return &reduced{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: configMap.Namespace, Name: configMap.Name,
			UID: configMap.UID, ResourceVersion: configMap.ResourceVersion,
		},
		source: catalog.SourceOf(configMap),
	}, nil
}

func (s *Sources) put(object any) {
	if kept, ok := object.(*reduced); ok {
		s.index.Put(kept.source)
		s.copies.put(kept.source)
	}
}

func (s *Sources) delete(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if kept, ok := object.(*reduced); ok {
		s.index.Delete(kept.Namespace, kept.Name)
		s.copies.delete(kept.Namespace, kept.Name)
	}
}

// liveTimeout bounds a read of the cluster, well within the five seconds that
// the API server waits for the webhook, so that it hears why instead of nothing.
const liveTimeout = 3 * time.Second

// Decide is policy.Decide over the cache; and over the cluster itself where
// the cache lacks something, for a ConfigMap may be younger than the cache and
// its pod be made in the same instant. An error says that the cluster could
// not be read, which decides nothing about the pod. Only what the cache lacks
// is read: of a thousand plugins asked for, mostly nothing or one.
func (s *Sources) Decide(ctx context.Context, policies []*policy.Policy, namespace string, pod mutate.Pod) (policy.Decision, error) {
	decision := policy.Decide(policies, namespace, pod, s.index.Releases)
	if len(decision.Missing) == 0 {
		return decision, nil
	}
	// A webhook that is told to stop ends the context of every request, and
	// still has to answer those in flight.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveTimeout)
	defer cancel()
	now := &catalog.Index{}
	for namespace, plugins := range decision.Missing {
		if err := s.read(ctx, now, namespace, slices.Sorted(maps.Keys(plugins))); err != nil {
			return policy.Decision{}, err
		}
	}
	return policy.Decide(policies, namespace, pod, func(namespace, plugin string) []*catalog.Release {
		if decision.Missing[namespace][plugin] {
			return now.Releases(namespace, plugin)
		}
		return s.index.Releases(namespace, plugin)
	}), nil
}

// pageSize bounds what one read holds of ConfigMaps of up to 1 MiB each.
const pageSize = 10

// read puts into an index the sources of some plugins in a namespace as they are
// now.
func (s *Sources) read(ctx context.Context, index *catalog.Index, namespace string, plugins []string) error {
	asked, err := labels.NewRequirement(annotations.Plugin, selection.In, plugins)
	if err != nil {
		return fmt.Errorf("select the ConfigMaps of plugins %q: %w", plugins, err)
	}
	page := &corev1.ConfigMapList{}
	for {
		err := s.live.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(page.Continue),
			client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*asked)})
		if err != nil {
			return fmt.Errorf("read the ConfigMaps labelled %s in namespace %q: %w", annotations.Plugin, namespace, err)
		}
		for i := range page.Items {
			index.Put(catalog.SourceOf(&page.Items[i]))
		}
		if page.Continue == "" {
			return nil
		}
	}
}
