package clusterstate

import (
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/catalog"
)

// copies indexes the ConfigMaps that hold libraries' releases in other namespaces. Their names begin with
// catalog.CopyPrefix, and their label kongdao.io/plugin is empty. The zero value is empty and ready to use. It is safe
// for concurrent use.
type copies struct {
	mutex  sync.RWMutex
	byName map[types.NamespacedName]catalog.Source

	deletionSubscribers subscribers[types.NamespacedName]
}

func (c *copies) put(source catalog.Source) {
	if source.Plugin != "" || !strings.HasPrefix(source.Name, catalog.CopyPrefix) {
		c.delete(source.Namespace, source.Name)
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.byName == nil {
		c.byName = map[types.NamespacedName]catalog.Source{}
	}
	c.byName[types.NamespacedName{Namespace: source.Namespace, Name: source.Name}] = source
}

func (c *copies) delete(namespace, name string) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	c.mutex.Lock()
	_, existed := c.byName[key]
	delete(c.byName, key)
	c.mutex.Unlock()
	if existed {
		c.deletionSubscribers.notify(key)
	}
}

// HasCopies reports whether a namespace has every copy that the releases need, each with the right content.
func (s *Sources) HasCopies(namespace string, releases []*catalog.Release) bool {
	s.copies.mutex.RLock()
	defer s.copies.mutex.RUnlock()
	for _, release := range releases {
		for _, wanted := range release.Copies {
			if !wanted.Matches(s.copies.byName[types.NamespacedName{Namespace: namespace, Name: wanted.Name}]) {
				return false
			}
		}
	}
	return true
}

// CopiesExist reports whether a namespace has ConfigMaps with these names that are copies.
func (s *Sources) CopiesExist(namespace string, names []string) bool {
	s.copies.mutex.RLock()
	defer s.copies.mutex.RUnlock()
	for _, name := range names {
		if _, exists := s.copies.byName[types.NamespacedName{Namespace: namespace, Name: name}]; !exists {
			return false
		}
	}
	return true
}

// Copies returns the sources of all copies that the cache knows.
func (s *Sources) Copies() []catalog.Source {
	s.copies.mutex.RLock()
	defer s.copies.mutex.RUnlock()
	all := make([]catalog.Source, 0, len(s.copies.byName))
	for _, source := range s.copies.byName {
		all = append(all, source)
	}
	return all
}
