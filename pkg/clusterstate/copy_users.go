package clusterstate

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// copyUsers indexes the pods that mount copies. The zero value is empty and ready to use. It is not safe for concurrent
// use.
type copyUsers struct {
	// byCopy counts the pods that mount a copy.
	byCopy map[types.NamespacedName]int
	// byNamespace holds the pods by namespace and name.
	byNamespace map[string]map[string]*InjectedPod
}

// replace replaces a version of a pod by another one. Either can be nil.
func (u *copyUsers) replace(old, pod *InjectedPod) {
	if u.byCopy == nil {
		u.byCopy, u.byNamespace = map[types.NamespacedName]int{}, map[string]map[string]*InjectedPod{}
	}
	if old != nil && old.mountsCopies() {
		u.count(old, -1)
		delete(u.byNamespace[old.Namespace], old.Name)
		if len(u.byNamespace[old.Namespace]) == 0 {
			delete(u.byNamespace, old.Namespace)
		}
	}
	if pod != nil && pod.mountsCopies() {
		u.count(pod, 1)
		if u.byNamespace[pod.Namespace] == nil {
			u.byNamespace[pod.Namespace] = map[string]*InjectedPod{}
		}
		u.byNamespace[pod.Namespace][pod.Name] = pod
	}
}

func (u *copyUsers) count(pod *InjectedPod, change int) {
	for _, name := range pod.Copies {
		key := types.NamespacedName{Namespace: pod.Namespace, Name: name}
		if u.byCopy[key] += change; u.byCopy[key] == 0 {
			delete(u.byCopy, key)
		}
	}
}

// IsCopyUsed reports whether a pod mounts a copy or waits for it.
func (p *InjectedPods) IsCopyUsed(name types.NamespacedName) bool {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	return p.copyUsers.byCopy[name] > 0
}

// UsedCopies returns the copies that pods mount or wait for, in no order.
func (p *InjectedPods) UsedCopies() []types.NamespacedName {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	return slices.Collect(maps.Keys(p.copyUsers.byCopy))
}

// CopyUsers returns the pods of a namespace that mount copies or wait for them, sorted by name. Do not change them.
func (p *InjectedPods) CopyUsers(namespace string) []*InjectedPod {
	p.mutex.RLock()
	users := slices.Collect(maps.Values(p.copyUsers.byNamespace[namespace]))
	p.mutex.RUnlock()
	slices.SortFunc(users, func(a, b *InjectedPod) int { return strings.Compare(a.Name, b.Name) })
	return users
}
