package clusterstate

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// Sources indexes the ConfigMaps with the label kongdao.io/plugin: the plugins' sources and the copies of libraries'
// releases. It is safe for concurrent use.
type Sources struct {
	index  catalog.Index
	copies copies
	// incomplete are the namespaces whose incomplete sources can be restored.
	incomplete namespaceSet
	// pluginSubscribers want to know which plugins' sources change.
	pluginSubscribers subscribers[types.NamespacedName]
	// synced reports whether Sources holds every source that existed when the informer started.
	synced func() bool
}

// SourcesCache returns the cache options that NewSources needs. Caches of whole ConfigMaps have made operators run out
// of memory (fact W6). This one selects the sources and drops their contents. It limits the memory for each namespace.
// With namespaces, the cache watches only those, with one watch each.
func SourcesCache(namespaces ...string) (cache.ByObject, error) {
	isSource, err := labels.NewRequirement(annotations.Plugin, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{}, fmt.Errorf("select sources by label %s: %w", annotations.Plugin, err)
	}
	return cache.ByObject{
		Label:      labels.NewSelector().Add(*isSource),
		Namespaces: inNamespaces(namespaces),
		Transform:  new(sourceBudget).reduceConfigMap,
	}, nil
}

// inNamespaces restricts a cache to namespaces, or returns nil for all namespaces.
func inNamespaces(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	selected := map[string]cache.Config{}
	for _, namespace := range namespaces {
		selected[namespace] = cache.Config{}
	}
	return selected
}

// NewSources returns Sources that follow a cache with the options of SourcesCache.
func NewSources(ctx context.Context, informers cache.Informers) (*Sources, error) {
	sources := &Sources{}
	informer, err := informers.GetInformer(ctx, &corev1.ConfigMap{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch the ConfigMaps labelled %s: %w", annotations.Plugin, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: sources.put,
		UpdateFunc: func(old, changed any) {
			sources.put(changed)
			sources.notifyIfMoved(old, changed)
		},
		DeleteFunc: sources.delete,
	})
	if err != nil {
		return nil, fmt.Errorf("watch the ConfigMaps labelled %s: %w", annotations.Plugin, err)
	}
	sources.synced = registration.HasSynced
	return sources, nil
}

// StaticSources returns Sources that hold the given ConfigMaps and follow no cache. Tests use it instead of an API
// server.
func StaticSources(configMaps ...*corev1.ConfigMap) *Sources {
	sources := &Sources{synced: func() bool { return true }}
	for _, configMap := range configMaps {
		sources.put(newCachedSource(configMap, nil))
	}
	return sources
}

// Add adds a ConfigMap to StaticSources.
func (s *Sources) Add(configMap *corev1.ConfigMap) { s.put(newCachedSource(configMap, nil)) }

// Remove removes a ConfigMap from StaticSources.
func (s *Sources) Remove(configMap *corev1.ConfigMap) { s.delete(newCachedSource(configMap, nil)) }

// Synced reports whether Sources holds every source that existed when the informer started.
func (s *Sources) Synced() bool { return s.synced() }

// Releases returns the releases of a plugin in a namespace, if the cache has them. Do not change them.
func (s *Sources) Releases(namespace, plugin string) []*catalog.Release {
	return s.index.Releases(namespace, plugin)
}

// Namespaces returns the namespaces that have sources, in any order.
func (s *Sources) Namespaces() []string { return s.index.Namespaces() }

// Plugins returns the plugins that have sources in a namespace, in any order.
func (s *Sources) Plugins(namespace string) []string { return s.index.Plugins(namespace) }

// ReleasesWithout returns the releases of a plugin that a namespace has after the deletion of a source.
func (s *Sources) ReleasesWithout(namespace, plugin, source string) []*catalog.Release {
	return s.index.ReleasesWithout(namespace, plugin, source)
}

// ReleasesWith returns the releases of a plugin that a namespace has after a source is written.
func (s *Sources) ReleasesWith(source catalog.Source) []*catalog.Release {
	return s.index.ReleasesWith(source)
}

// Has reports whether the cache has a state of a source: see catalog.Source.Revision.
func (s *Sources) Has(namespace, name, revision string) bool {
	return s.index.Has(namespace, name, revision)
}

// IsOverLimit reports whether the sources in a namespace are over a limit, so that all of its plugins are denied.
func (s *Sources) IsOverLimit(namespace string) bool { return s.index.IsOverLimit(namespace) }

// cachedSource is what the cache keeps of a ConfigMap. The metadata is the minimum that an informer needs to
// distinguish objects and their versions.
type cachedSource struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	source catalog.Source
	// budget limits the source. It is nil for sources without a limit.
	budget *sourceBudget
}

// DeepCopyObject implements runtime.Object, so that lists can have cached sources. They do not change: it copies
// nothing.
func (c *cachedSource) DeepCopyObject() runtime.Object { return c }

func newCachedSource(configMap *corev1.ConfigMap, budget *sourceBudget) *cachedSource {
	source := catalog.NewSource(configMap)
	if budget != nil {
		source = budget.spend(configMap.UID, source)
	}
	return &cachedSource{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: configMap.Namespace, Name: configMap.Name,
			UID: configMap.UID, ResourceVersion: configMap.ResourceVersion,
		},
		source: source,
		budget: budget,
	}
}

// plugin returns the namespace and the plugin of a source.
func (c *cachedSource) plugin() types.NamespacedName {
	return types.NamespacedName{Namespace: c.source.Namespace, Name: c.source.Plugin}
}

// reduceConfigMap is the cache's transform. An informer may call it again with its own result.
func (b *sourceBudget) reduceConfigMap(object any) (any, error) {
	if configMap, ok := object.(*corev1.ConfigMap); ok {
		return newCachedSource(configMap, b), nil
	}
	return object, nil
}

func (s *Sources) put(object any) {
	if cached, ok := object.(*cachedSource); ok {
		s.change(cached, func() {
			s.index.Put(cached.source)
			s.copies.put(cached.source)
		})
	}
}

// change makes a change of a source, and reports it. If the namespace goes over its limits or comes back, all of its
// plugins change.
func (s *Sources) change(cached *cachedSource, change func()) {
	wasOverLimit := s.index.IsOverLimit(cached.Namespace)
	change()
	if s.index.IsOverLimit(cached.Namespace) != wasOverLimit {
		for _, plugin := range s.index.Plugins(cached.Namespace) {
			s.pluginSubscribers.notify(types.NamespacedName{Namespace: cached.Namespace, Name: plugin})
		}
	}
	s.pluginSubscribers.notify(cached.plugin())
	if s.index.NeedsRestore(cached.Namespace) {
		s.incomplete.add(cached.Namespace)
	}
}

// notifyIfMoved reports the old plugin of a source if the source now belongs to another one.
func (s *Sources) notifyIfMoved(old, changed any) {
	before, isSource := old.(*cachedSource)
	after, isStillSource := changed.(*cachedSource)
	if isSource && isStillSource && before.plugin() != after.plugin() {
		s.pluginSubscribers.notify(before.plugin())
	}
}

func (s *Sources) delete(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if cached, ok := object.(*cachedSource); ok {
		if cached.budget != nil {
			cached.budget.release(cached.UID, cached.source)
		}
		s.change(cached, func() {
			s.index.Delete(cached.Namespace, cached.Name)
			s.copies.delete(cached.Namespace, cached.Name)
		})
	}
}
