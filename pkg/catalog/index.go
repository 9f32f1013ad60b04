package catalog

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Index holds the sources of many namespaces. It finds the releases of one plugin in one namespace at a cost that does
// not depend on the other sources. While it assembles releases, neither changes nor lookups of other plugins wait. The
// zero value is an empty index. It is safe for concurrent use.
type Index struct {
	mutex   sync.RWMutex
	entries map[pluginKey]*entry
	// plugins holds the current plugin of each ConfigMap, because the label of a ConfigMap can change.
	plugins    map[sourceKey]pluginKey
	namespaces map[string]*usage
}

type pluginKey struct{ namespace, plugin string }

type sourceKey struct{ namespace, name string }

// entry holds one plugin's sources in one namespace, by ConfigMap name, and their releases.
type entry struct {
	sources map[string]Source
	// assembly is nil after a change of the sources, until the first lookup: a plugin can have many sources.
	assembly atomic.Pointer[assembly]
}

// assembly builds releases once, from a snapshot of the sources. Concurrent lookups share it.
type assembly struct {
	once     sync.Once
	plugin   string
	sources  []Source
	releases []*Release
}

func (a *assembly) result() []*Release {
	a.once.Do(func() {
		if a.sources == nil {
			return // there are too many: the releases are already known
		}
		slices.SortFunc(a.sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
		a.releases, a.sources = Assemble(a.plugin, a.sources), nil
	})
	return a.releases
}

// Put adds a source, or replaces the source of the same ConfigMap.
func (x *Index) Put(source Source) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.put(source)
}

func (x *Index) put(source Source) {
	x.remove(source.Namespace, source.Name)
	if source.Plugin == "" {
		return
	}
	if x.entries == nil {
		x.entries = map[pluginKey]*entry{}
		x.plugins = map[sourceKey]pluginKey{}
		x.namespaces = map[string]*usage{}
	}
	key := pluginKey{source.Namespace, source.Plugin}
	if x.entries[key] == nil {
		x.entries[key] = &entry{sources: map[string]Source{}}
	}
	x.entries[key].sources[source.Name] = source
	x.entries[key].assembly.Store(nil)
	x.plugins[sourceKey{source.Namespace, source.Name}] = key
	if x.namespaces[source.Namespace] == nil {
		x.namespaces[source.Namespace] = &usage{}
	}
	x.namespaces[source.Namespace].add(source, 1)
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
	changed := x.entries[key]
	x.namespaces[namespace].add(changed.sources[name], -1)
	if x.namespaces[namespace].sources == 0 {
		delete(x.namespaces, namespace)
	}
	delete(changed.sources, name)
	changed.assembly.Store(nil)
	if len(changed.sources) == 0 {
		delete(x.entries, key)
	}
}

// Restore replaces an incomplete source by the same state of the ConfigMap with its keys. It reports whether the index
// has that incomplete source.
func (x *Index) Restore(source Source) bool {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	key, exists := x.plugins[sourceKey{source.Namespace, source.Name}]
	if !exists {
		return false
	}
	current := x.entries[key].sources[source.Name]
	if !current.Incomplete || current.Revision != source.Revision {
		return false
	}
	x.put(source)
	return true
}

// Releases returns the releases of a plugin in a namespace, sorted by version. If a limit is exceeded, it returns one
// release for all versions. The releases are shared: callers must not change them.
func (x *Index) Releases(namespace, plugin string) []*Release {
	key := pluginKey{namespace, plugin}
	x.mutex.RLock()
	found, used := x.entries[key], x.namespaces[namespace]
	if found == nil {
		x.mutex.RUnlock()
		return nil
	}
	if used.isOverLimit() {
		defer x.mutex.RUnlock()
		return []*Release{used.deniedRelease(namespace, plugin)}
	}
	current := found.assembly.Load()
	if current == nil {
		current = found.newAssembly(key)
	}
	x.mutex.RUnlock()
	return current.result()
}

// ReleasesWithout returns the releases of a plugin that a namespace has after the deletion of a source.
func (x *Index) ReleasesWithout(namespace, plugin, source string) []*Release {
	return x.releasesAfter(namespace, plugin, func(sources map[string]Source) { delete(sources, source) })
}

// ReleasesWith returns the releases of a plugin that a namespace has after a source is written.
func (x *Index) ReleasesWith(source Source) []*Release {
	return x.releasesAfter(source.Namespace, source.Plugin, func(sources map[string]Source) {
		sources[source.Name] = source
	})
}

func (x *Index) releasesAfter(namespace, plugin string, change func(sources map[string]Source)) []*Release {
	x.mutex.RLock()
	changed := map[string]Source{}
	if found := x.entries[pluginKey{namespace, plugin}]; found != nil {
		changed = maps.Clone(found.sources)
	}
	isOverLimit := len(changed) > maxPluginSources || x.namespaces[namespace].isOverLimit()
	x.mutex.RUnlock()
	if isOverLimit {
		return x.Releases(namespace, plugin)
	}
	change(changed)
	return Assemble(plugin, slices.SortedFunc(maps.Values(changed), func(a, b Source) int {
		return cmp.Compare(a.Name, b.Name)
	}))
}

// newAssembly returns the assembly of the current sources. The caller holds the read lock. The limit of sources bounds
// the time of the copy.
func (e *entry) newAssembly(key pluginKey) *assembly {
	made := &assembly{plugin: key.plugin}
	if len(e.sources) > maxPluginSources {
		made.releases = []*Release{tooManySources(key.namespace, key.plugin, len(e.sources))}
	} else {
		made.sources = slices.Collect(maps.Values(e.sources))
	}
	if e.assembly.CompareAndSwap(nil, made) {
		return made
	}
	return e.assembly.Load() // another lookup was first; the read lock keeps it
}

// Has reports whether the index has a state of a source: see Source.Revision.
func (x *Index) Has(namespace, name, revision string) bool {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	key, exists := x.plugins[sourceKey{namespace, name}]
	return exists && x.entries[key].sources[name].Revision == revision
}

// IsOverLimit reports whether the sources of a namespace are over a limit for namespaces. Then all of its plugins are
// denied.
func (x *Index) IsOverLimit(namespace string) bool {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	return x.namespaces[namespace].isOverLimit()
}

// NeedsRestore reports whether a namespace within its limits has incomplete sources.
func (x *Index) NeedsRestore(namespace string) bool {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	used := x.namespaces[namespace]
	return used != nil && used.incomplete > 0 && !used.isOverLimit()
}

// Namespaces returns the namespaces that have sources, in any order.
func (x *Index) Namespaces() []string {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	return slices.Collect(maps.Keys(x.namespaces))
}

// Plugins returns the plugins that have sources in a namespace, in any order.
func (x *Index) Plugins(namespace string) []string {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	var plugins []string
	for key := range x.entries {
		if key.namespace == namespace {
			plugins = append(plugins, key.plugin)
		}
	}
	return plugins
}
