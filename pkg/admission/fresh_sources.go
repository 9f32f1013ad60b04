package admission

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

const (
	// maxCacheDelay limits how long an admission waits for the cache, and cachePollInterval is how often it looks.
	maxCacheDelay     = time.Second
	cachePollInterval = 20 * time.Millisecond
	// maxListedSources limits the ConfigMaps whose metadata is read.
	maxListedSources = 1000
)

// awaitSources waits until the cache has the present sources of plugins, which are given by namespace. A release that
// was published just before must count. It reads metadata only.
func (c *Cluster) awaitSources(ctx context.Context, plugins map[string]sets.Set[string]) error {
	for namespace, names := range c.readable(plugins) {
		isOfPlugins, err := labels.NewRequirement(annotations.Plugin, selection.In, sets.List(names))
		if err != nil {
			return fmt.Errorf("select the ConfigMaps of plugins %q: %w", sets.List(names), err)
		}
		var sources metav1.PartialObjectMetadataList
		sources.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
		err = c.Live.List(ctx, &sources, client.InNamespace(namespace), client.Limit(maxListedSources),
			client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*isOfPlugins)})
		if err != nil {
			return fmt.Errorf("list the ConfigMaps labelled %s in namespace %q: %w",
				annotations.Plugin, namespace, err)
		}
		isCurrent := func(context.Context) (bool, error) {
			for i := range sources.Items {
				source := &sources.Items[i]
				if !c.Sources.Has(namespace, source.Name, string(source.UID)+"/"+source.ResourceVersion) {
					return false, nil
				}
			}
			return true, nil
		}
		// After a timeout, what the cache has counts: a source may have changed again meanwhile.
		_ = wait.PollUntilContextTimeout(ctx, cachePollInterval, maxCacheDelay, true, isCurrent)
	}
	return nil
}
