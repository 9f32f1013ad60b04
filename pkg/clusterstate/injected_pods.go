package clusterstate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/annotations"
)

// DatabaseKey is a database in a namespace.
type DatabaseKey struct{ Namespace, Database string }

// InjectedPods is an index, by their database, of the pods that were injected. It is
// safe for concurrent use.
type InjectedPods struct {
	mutex      sync.RWMutex
	pods       map[types.NamespacedName]*InjectedPod
	byDatabase map[string]map[types.NamespacedName]*InjectedPod
	// users are the pods that mount copies of libraries' releases.
	users map[types.NamespacedName]*InjectedPod
	// awaits is called, without the mutex, for each pod that waits for copies.
	awaits func(types.NamespacedName)
	// changed is called, without the mutex, for each place where a pod has changed.
	changed func(DatabaseKey)
	synced  func() bool
}

// New makes Pods that follow a cache with Cache.
func NewInjectedPods(ctx context.Context, followed cache.Informers) (*InjectedPods, error) {
	p := &InjectedPods{pods: map[types.NamespacedName]*InjectedPod{}, byDatabase: map[string]map[types.NamespacedName]*InjectedPod{}, users: map[types.NamespacedName]*InjectedPod{}}
	informer, err := followed.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    p.put,
		UpdateFunc: func(_, now any) { p.put(now) },
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			if pod, ok := object.(*InjectedPod); ok {
				key := pod.Key()
				p.use(key, nil)
				p.replace(key, nil)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	p.synced = registration.HasSynced
	return p, nil
}

func (p *InjectedPods) put(object any) {
	pod, ok := object.(*InjectedPod)
	if !ok {
		return
	}
	key := pod.Key()
	if len(pod.Copies) > 0 && !pod.ended {
		p.use(key, pod)
	} else {
		p.use(key, nil)
	}
	if !pod.counts {
		pod = nil
	}
	p.replace(key, pod)
}

// use notes that a pod mounts copies, nil that it does no more.
func (p *InjectedPods) use(key types.NamespacedName, pod *InjectedPod) {
	p.mutex.Lock()
	delete(p.users, key)
	if pod != nil {
		p.users[key] = pod
	}
	awaits := p.awaits
	p.mutex.Unlock()
	if pod != nil && pod.AwaitsCopies && awaits != nil {
		awaits(key)
	}
}

// FollowCopies has awaits called for each pod that waits for copies, now and
// from now on.
func (p *InjectedPods) FollowCopies(awaits func(types.NamespacedName)) {
	p.mutex.Lock()
	p.awaits = awaits
	var now []types.NamespacedName
	for key, pod := range p.users {
		if pod.AwaitsCopies {
			now = append(now, key)
		}
	}
	p.mutex.Unlock()
	for _, key := range now {
		awaits(key)
	}
}

// AwaitingCopies is how many pods wait for copies of libraries' releases.
func (p *InjectedPods) AwaitingCopies() int {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	count := 0
	for _, pod := range p.users {
		if pod.AwaitsCopies {
			count++
		}
	}
	return count
}

// CopyUsers are the pods that mount each copy, by the copy's namespace and name.
// Nobody may change them.
func (p *InjectedPods) CopyUsers() map[types.NamespacedName][]*InjectedPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	users := map[types.NamespacedName][]*InjectedPod{}
	for _, pod := range p.users {
		for _, name := range pod.Copies {
			copied := types.NamespacedName{Namespace: pod.Namespace, Name: name}
			users[copied] = append(users[copied], pod)
		}
	}
	return users
}

// replace takes a pod's place in the index, nil for one that is gone.
func (p *InjectedPods) replace(key types.NamespacedName, now *InjectedPod) {
	p.mutex.Lock()
	touched := map[DatabaseKey]bool{}
	touch := func(database string) {
		for other := range p.byDatabase[database] {
			touched[DatabaseKey{other.Namespace, database}] = true // its finish may wait for this pod
		}
	}
	if before := p.pods[key]; before != nil {
		database := before.Migrates.Requirement.Database.Key
		touch(database)
		delete(p.pods, key)
		delete(p.byDatabase[database], key)
		if len(p.byDatabase[database]) == 0 {
			delete(p.byDatabase, database)
		}
	}
	if now != nil {
		database := now.Migrates.Requirement.Database.Key
		p.pods[key] = now
		if p.byDatabase[database] == nil {
			p.byDatabase[database] = map[types.NamespacedName]*InjectedPod{}
		}
		p.byDatabase[database][key] = now
		touch(database)
	}
	changed := p.changed
	p.mutex.Unlock()
	for where := range touched {
		if changed != nil {
			changed(where)
		}
	}
}

// Of are the pods of a database, of all namespaces.
func (p *InjectedPods) Of(database string) []*InjectedPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	found := make([]*InjectedPod, 0, len(p.byDatabase[database]))
	for _, pod := range p.byDatabase[database] {
		found = append(found, pod)
	}
	slices.SortFunc(found, func(a, b *InjectedPod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return found
}

// Gated is how many pods wait for us.
func (p *InjectedPods) Gated() int {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	count := 0
	for _, pod := range p.pods {
		if pod.Migrates.Gated {
			count++
		}
	}
	return count
}

// Follow has changed called for each place where a pod is, and from now on for
// each where one changes.
func (p *InjectedPods) Follow(changed func(DatabaseKey)) {
	p.mutex.Lock()
	p.changed = changed
	places := map[DatabaseKey]bool{}
	for key, pod := range p.pods {
		places[DatabaseKey{key.Namespace, pod.Migrates.Requirement.Database.Key}] = true
	}
	p.mutex.Unlock()
	for where := range places {
		changed(where)
	}
}
