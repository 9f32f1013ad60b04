package clusterstate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// restoreRetryInterval is how long a SourceRestorer waits after an error.
const restoreRetryInterval = 5 * time.Second

// SourceRestorer reads sources again whose keys were dropped while their namespace was over a limit, when the namespace
// is within its limits again. A manager runs it on each replica.
type SourceRestorer struct {
	Sources *Sources
	// Live reads the API server, not a cache.
	Live client.Reader
	Log  logr.Logger
}

// Start restores sources until the context ends.
func (r SourceRestorer) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.Sources.incomplete.wake():
		}
		for namespace := range r.Sources.incomplete.take() {
			if err := r.restore(ctx, namespace); err != nil {
				r.Log.Error(err, "Sources cannot be read again; their plugins are denied", "namespace", namespace)
				time.AfterFunc(restoreRetryInterval, func() { r.Sources.incomplete.add(namespace) })
			}
		}
	}
}

// NeedLeaderElection returns false, because each replica needs its own sources.
func (SourceRestorer) NeedLeaderElection() bool { return false }

// restore reads the sources of a namespace, page by page, until none is incomplete. A source that changes meanwhile
// arrives through the watch.
func (r SourceRestorer) restore(ctx context.Context, namespace string) error {
	page := &corev1.ConfigMapList{}
	for r.Sources.index.NeedsRestore(namespace) {
		err := r.Live.List(ctx, page, client.InNamespace(namespace), client.HasLabels{annotations.Plugin},
			client.Limit(sourcePageSize), client.Continue(page.Continue))
		if err != nil {
			return fmt.Errorf("read the ConfigMaps labelled %s in namespace %q again: %w", annotations.Plugin, namespace, err)
		}
		for i := range page.Items {
			r.Sources.restore(catalog.NewSource(&page.Items[i]))
		}
		if page.Continue == "" {
			return nil
		}
	}
	return nil
}

func (s *Sources) restore(source catalog.Source) {
	if s.index.Restore(source) {
		s.pluginSubscribers.notify(types.NamespacedName{Namespace: source.Namespace, Name: source.Plugin})
	}
}

// namespaceSet is a set of namespaces that someone must handle. The zero value is empty and ready to use. It is safe
// for concurrent use.
type namespaceSet struct {
	mutex   sync.Mutex
	names   sets.Set[string]
	changed chan struct{}
}

func (n *namespaceSet) add(name string) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.names == nil {
		n.names = sets.Set[string]{}
	}
	n.names.Insert(name)
	select {
	case n.channel() <- struct{}{}:
	default:
	}
}

// wake returns a channel that gets a value after the set has grown.
func (n *namespaceSet) wake() <-chan struct{} {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.channel()
}

func (n *namespaceSet) channel() chan struct{} {
	if n.changed == nil {
		n.changed = make(chan struct{}, 1)
	}
	return n.changed
}

// take empties the set and returns what it had.
func (n *namespaceSet) take() sets.Set[string] {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	names := n.names
	n.names = nil
	return names
}
