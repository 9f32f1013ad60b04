package catalog

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Index holds the sources of many namespaces. It finds the releases of one plugin in one namespace at a cost that does
// not depend on the other sources. The zero value is an empty index. It is safe for concurrent use.
type Index struct {
	mutex   sync.RWMutex
	entries map[pluginKey]*entry
	// plugins holds the current plugin of each ConfigMap, because the label of a ConfigMap can change.
	plugins map[sourceKey]pluginKey
}

type pluginKey struct{ namespace, plugin string }

type sourceKey struct{ namespace, name string }

// entry holds one plugin's sources in one namespace, by ConfigMap name, and their releases. The index assembles the
// releases on the first use, not after each change: a plugin can have thousands of sources.
type entry struct {
	sources  map[string]Source
	assemble sync.Once
	releases []*Release
}

// Put adds a source, or replaces the source of the same ConfigMap.
func (x *Index) Put(source Source) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.remove(source.Namespace, source.Name)
	if source.Plugin == "" {
		return
	}
	if x.entries == nil {
		x.entries = map[pluginKey]*entry{}
		x.plugins = map[sourceKey]pluginKey{}
	}
	key := pluginKey{source.Namespace, source.Plugin}
	sources := map[string]Source{}
	if old := x.entries[key]; old != nil {
		sources = old.sources
	}
	sources[source.Name] = source
	x.entries[key] = &entry{sources: sources}
	x.plugins[sourceKey{source.Namespace, source.Name}] = key
}

// Delete removes the source of a ConfigMap.
func (x *Index) Delete(namespace, name string) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.remove(namespace, name)
}

func (x *Index) remove(namespace, name string) {
	key, exists := x.plugins[sourceKey{namespace, name}]
	if !exists {
		return
	}
	delete(x.plugins, sourceKey{namespace, name})
	sources := x.entries[key].sources
	delete(sources, name)
	if len(sources) == 0 {
		delete(x.entries, key)
		return
	}
	x.entries[key] = &entry{sources: sources}
}

// Releases returns the releases of a plugin in a namespace, sorted by version. The releases are shared: callers must
// not change them.
func (x *Index) Releases(namespace, plugin string) []*Release {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	found := x.entries[pluginKey{namespace, plugin}]
	if found == nil {
		return nil
	}
	// The read lock keeps the sources constant. A concurrent caller waits for the first one in Do.
	found.assemble.Do(func() {
		sources := slices.SortedFunc(maps.Values(found.sources), func(a, b Source) int {
			return strings.Compare(a.Name, b.Name)
		})
		found.releases = Assemble(plugin, sources)
	})
	return found.releases
}
