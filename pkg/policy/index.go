package policy

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Index holds all policies. The cost of finding those of a namespace does not grow with the number of the others. The
// zero value is empty and ready to use. An Index is safe for concurrent use.
type Index struct {
	mutex    sync.RWMutex
	policies map[string]*Policy
	// cache has the result of Of by namespace.
	cache map[string]selection
}

// selection is the policies that select a namespace with these labels.
type selection struct {
	labels   map[string]string
	policies []*Policy
}

// maxCachedNamespaces limits the cache: namespaces come and go, and a change of policies may be far away.
const maxCachedNamespaces = 10_000

// Put adds a policy, or replaces the one with the same name.
func (x *Index) Put(policy *Policy) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	if x.policies == nil {
		x.policies = map[string]*Policy{}
	}
	x.policies[policy.Name] = policy
	x.cache = nil
}

// Delete removes a policy.
func (x *Index) Delete(name string) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	delete(x.policies, name)
	x.cache = nil
}

// Len returns the number of policies.
func (x *Index) Len() int {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	return len(x.policies)
}

// HasLibrary reports whether a policy names a namespace as its library.
func (x *Index) HasLibrary(namespace string) bool {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	for _, policy := range x.policies {
		if policy.Library == namespace {
			return true
		}
	}
	return false
}

// Of returns the policies that select a namespace with these labels, sorted by name. The caller must not change the
// returned slice.
func (x *Index) Of(namespace string, labels map[string]string) []*Policy {
	x.mutex.RLock()
	cached, exists := x.cache[namespace]
	x.mutex.RUnlock()
	if exists && maps.Equal(cached.labels, labels) {
		return cached.policies
	}
	x.mutex.Lock()
	defer x.mutex.Unlock()
	var selected []*Policy
	for _, policy := range x.policies {
		if policy.selectsNamespace(labels) {
			selected = append(selected, policy)
		}
	}
	slices.SortFunc(selected, func(a, b *Policy) int { return strings.Compare(a.Name, b.Name) })
	if x.cache == nil || len(x.cache) >= maxCachedNamespaces {
		x.cache = map[string]selection{}
	}
	x.cache[namespace] = selection{labels: maps.Clone(labels), policies: selected}
	return selected
}
