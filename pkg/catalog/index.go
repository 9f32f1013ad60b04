package catalog

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Index holds the sources of many namespaces and finds the releases of one
// plugin in one of them at a cost that does not grow with the others. The zero
// value is empty and ready; it is safe for concurrent use.
type Index struct {
	mutex   sync.RWMutex
	plugins map[pluginKey]*shelf
	// homes says on which shelf a ConfigMap's source lies, for its label may change.
	homes map[sourceKey]pluginKey
}

type pluginKey struct{ namespace, plugin string }

type sourceKey struct{ namespace, name string }

// shelf holds one plugin's sources in one namespace, by ConfigMap name, and
// the releases they make, assembled when first asked for: a plugin with
// thousands of sources is not assembled anew for each of them.
type shelf struct {
	sources  map[string]Source
	assemble sync.Once
	releases []*Release
}

// Put adds a source, or replaces the one of the same ConfigMap.
func (x *Index) Put(source Source) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.remove(source.Namespace, source.Name)
	if source.Plugin == "" {
		return
	}
	if x.plugins == nil {
		x.plugins = map[pluginKey]*shelf{}
		x.homes = map[sourceKey]pluginKey{}
	}
	home := pluginKey{source.Namespace, source.Plugin}
	sources := map[string]Source{}
	if old := x.plugins[home]; old != nil {
		sources = old.sources
	}
	sources[source.Name] = source
	x.plugins[home] = &shelf{sources: sources}
	x.homes[sourceKey{source.Namespace, source.Name}] = home
}

// Delete forgets the source of a ConfigMap.
func (x *Index) Delete(namespace, name string) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.remove(namespace, name)
}

func (x *Index) remove(namespace, name string) {
	home, known := x.homes[sourceKey{namespace, name}]
	if !known {
		return
	}
	delete(x.homes, sourceKey{namespace, name})
	sources := x.plugins[home].sources
	delete(sources, name)
	if len(sources) == 0 {
		delete(x.plugins, home)
		return
	}
	x.plugins[home] = &shelf{sources: sources}
}

// Releases yields the releases of a plugin in a namespace, sorted by version.
// They are shared: nobody may change them.
func (x *Index) Releases(namespace, plugin string) []*Release {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	found := x.plugins[pluginKey{namespace, plugin}]
	if found == nil {
		return nil
	}
	// Under the read lock nobody changes the sources, and whoever comes second
	// waits for the first.
	found.assemble.Do(func() {
		sources := slices.Collect(maps.Values(found.sources))
		slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
		found.releases = Assemble(plugin, sources)
	})
	return found.releases
}
