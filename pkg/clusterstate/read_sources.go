package clusterstate

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// sourcePageSize limits the ConfigMaps in one read. Each can have 1 MiB.
const sourcePageSize = 10

// ReadSources reads the sources of some plugins in a namespace into an index, page by page. It stops when the namespace
// is over a limit of the index. The reader should read the API server, not a cache.
func ReadSources(
	ctx context.Context, reader client.Reader, index *catalog.Index, namespace string, plugins []string,
) error {
	isOfPlugins, err := labels.NewRequirement(annotations.Plugin, selection.In, plugins)
	if err != nil {
		return fmt.Errorf("select the ConfigMaps of plugins %q: %w", plugins, err)
	}
	page := &corev1.ConfigMapList{}
	for {
		err := reader.List(ctx, page, client.InNamespace(namespace), client.Limit(sourcePageSize),
			client.Continue(page.Continue),
			client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*isOfPlugins)})
		if err != nil {
			return fmt.Errorf("read the ConfigMaps labelled %s in namespace %q: %w", annotations.Plugin, namespace, err)
		}
		for i := range page.Items {
			index.Put(catalog.NewSource(&page.Items[i]))
		}
		if page.Continue == "" || index.IsOverLimit(namespace) {
			return nil
		}
	}
}
