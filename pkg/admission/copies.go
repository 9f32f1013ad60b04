package admission

import (
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/catalog"
)

// copies are the ConfigMaps that carry libraries' releases to other namespaces,
// as the cache has them: those that are named so, and whose label kongdao.io/plugin
// is empty. The zero value is empty and ready; it is safe for concurrent use.
type copies struct {
	mutex sync.RWMutex
	known map[types.NamespacedName]catalog.Source
	// gone is called, without the mutex, for each that is deleted.
	gone func(types.NamespacedName)
}

func (c *copies) put(source catalog.Source) {
	if source.Plugin != "" || !strings.HasPrefix(source.Name, catalog.CopyPrefix) {
		c.delete(source.Namespace, source.Name)
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.known == nil {
		c.known = map[types.NamespacedName]catalog.Source{}
	}
	c.known[types.NamespacedName{Namespace: source.Namespace, Name: source.Name}] = source
}

func (c *copies) delete(namespace, name string) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	c.mutex.Lock()
	_, was := c.known[key]
	delete(c.known, key)
	gone := c.gone
	c.mutex.Unlock()
	if was && gone != nil {
		gone(key)
	}
}

// FollowCopies has gone called for each copy that is deleted from now on.
func (s *Sources) FollowCopies(gone func(types.NamespacedName)) {
	s.copies.mutex.Lock()
	defer s.copies.mutex.Unlock()
	s.copies.gone = gone
}

// has reports whether all copies of the releases are in a namespace, and hold
// what they should: of others a pod must not be started.
func (c *copies) has(namespace string, releases []*catalog.Release) bool {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	for _, release := range releases {
		for _, wanted := range release.Copies {
			if !wanted.IsCopy(c.known[types.NamespacedName{Namespace: namespace, Name: wanted.Name}]) {
				return false
			}
		}
	}
	return true
}

// Copies are the sources of all copies that the cache knows.
func (s *Sources) Copies() []catalog.Source {
	s.copies.mutex.RLock()
	defer s.copies.mutex.RUnlock()
	all := make([]catalog.Source, 0, len(s.copies.known))
	for _, source := range s.copies.known {
		all = append(all, source)
	}
	return all
}
