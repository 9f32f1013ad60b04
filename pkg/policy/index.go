package policy

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Index holds all policies, and finds those of a namespace at a cost that does
// not grow with the others. The zero value is empty and ready; it is safe for
// concurrent use.
type Index struct {
	mutex    sync.RWMutex
	policies map[string]*Policy
	// found are the policies of namespaces that were asked about.
	found map[string]found
}

// mostFound bounds what is kept of namespaces, which come and go while policies
// stay.
const mostFound = 10_000

type found struct {
	// labels are those that the namespace had.
	labels   map[string]string
	policies []*Policy
}

// Put adds a policy, or replaces the one of its name.
func (x *Index) Put(policy *Policy) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	if x.policies == nil {
		x.policies = map[string]*Policy{}
	}
	x.policies[policy.Name] = policy
	x.found = nil
}

// Delete forgets a policy.
func (x *Index) Delete(name string) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	delete(x.policies, name)
	x.found = nil
}

// Len is how many policies there are.
func (x *Index) Len() int {
	x.mutex.RLock()
	defer x.mutex.RUnlock()
	return len(x.policies)
}

// Of yields the policies that count for a namespace with these labels, sorted by
// name. Nobody may change them.
func (x *Index) Of(namespace string, labels map[string]string) []*Policy {
	x.mutex.RLock()
	known, there := x.found[namespace]
	x.mutex.RUnlock()
	if there && maps.Equal(known.labels, labels) {
		return known.policies
	}
	x.mutex.Lock()
	defer x.mutex.Unlock()
	var selected []*Policy
	for _, policy := range x.policies {
		if policy.SelectsNamespace(labels) {
			selected = append(selected, policy)
		}
	}
	slices.SortFunc(selected, func(a, b *Policy) int { return strings.Compare(a.Name, b.Name) })
	if x.found == nil || len(x.found) >= mostFound {
		x.found = map[string]found{}
	}
	x.found[namespace] = found{labels: maps.Clone(labels), policies: selected}
	return selected
}
