package clusterstate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/annotations"
)

// DatabaseKey names a database as the pods of one namespace use it.
type DatabaseKey struct{ Namespace, Database string }

// InjectedPods indexes the injected pods by their database and by the copies that they mount. The zero value is empty
// and ready to use. It is safe for concurrent use.
type InjectedPods struct {
	mutex sync.RWMutex
	// byDatabase holds the pods that matter for migrations, by the key of their database.
	byDatabase map[string]map[types.NamespacedName]*InjectedPod
	databases  map[types.NamespacedName]string
	// copyUsers holds the pods that mount copies of libraries' releases.
	copyUsers map[types.NamespacedName]*InjectedPod

	databaseSubscribers subscribers[DatabaseKey]
	waitingSubscribers  subscribers[types.NamespacedName]
}

// NewInjectedPods returns InjectedPods that follow a cache with the options of InjectedPodsCache.
func NewInjectedPods(ctx context.Context, informers cache.Informers) (*InjectedPods, error) {
	p := &InjectedPods{}
	informer, err := informers.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    p.put,
		UpdateFunc: func(_, changed any) { p.put(changed) },
		DeleteFunc: p.delete,
	})
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	return p, nil
}

func (p *InjectedPods) put(object any) {
	pod, ok := object.(*InjectedPod)
	if !ok {
		return
	}
	p.replace(pod.Key(), pod)
	if pod.mountsCopies() && pod.AwaitsCopies {
		p.waitingSubscribers.notify(pod.Key())
	}
}

func (p *InjectedPods) delete(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if pod, ok := object.(*InjectedPod); ok {
		p.replace(pod.Key(), nil)
	}
}

// replace puts a new version of a pod into the index and reports the databases that it affects. It removes the pod if
// the new version is nil.
func (p *InjectedPods) replace(key types.NamespacedName, pod *InjectedPod) {
	p.mutex.Lock()
	changed := map[DatabaseKey]bool{}
	if database, ok := p.databases[key]; ok {
		p.collectKeys(changed, database)
		p.removeFromDatabase(key, database)
	}
	delete(p.copyUsers, key)
	if pod != nil && pod.migrates {
		database := pod.Migration.Requirement.Database.Key
		p.addToDatabase(pod, database)
		p.collectKeys(changed, database)
	}
	if pod != nil && pod.mountsCopies() {
		if p.copyUsers == nil {
			p.copyUsers = map[types.NamespacedName]*InjectedPod{}
		}
		p.copyUsers[key] = pod
	}
	p.mutex.Unlock()
	p.databaseSubscribers.notify(slices.Collect(maps.Keys(changed))...)
}

// collectKeys adds the keys of a database to a set, one for each namespace with pods of it.
func (p *InjectedPods) collectKeys(keys map[DatabaseKey]bool, database string) {
	for pod := range p.byDatabase[database] {
		keys[DatabaseKey{Namespace: pod.Namespace, Database: database}] = true
	}
}

func (p *InjectedPods) addToDatabase(pod *InjectedPod, database string) {
	if p.byDatabase == nil {
		p.byDatabase, p.databases = map[string]map[types.NamespacedName]*InjectedPod{}, map[types.NamespacedName]string{}
	}
	if p.byDatabase[database] == nil {
		p.byDatabase[database] = map[types.NamespacedName]*InjectedPod{}
	}
	p.byDatabase[database][pod.Key()] = pod
	p.databases[pod.Key()] = database
}

func (p *InjectedPods) removeFromDatabase(key types.NamespacedName, database string) {
	delete(p.databases, key)
	delete(p.byDatabase[database], key)
	if len(p.byDatabase[database]) == 0 {
		delete(p.byDatabase, database)
	}
}

// OfDatabase returns the pods of a database in all namespaces, sorted by namespace and name. Do not change them.
func (p *InjectedPods) OfDatabase(database string) []*InjectedPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	pods := make([]*InjectedPod, 0, len(p.byDatabase[database]))
	for _, pod := range p.byDatabase[database] {
		pods = append(pods, pod)
	}
	slices.SortFunc(pods, func(a, b *InjectedPod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return pods
}

// CopyUsers returns the pods that mount each copy, by the namespace and name of the copy. Do not change the pods.
func (p *InjectedPods) CopyUsers() map[types.NamespacedName][]*InjectedPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	users := map[types.NamespacedName][]*InjectedPod{}
	for _, pod := range p.copyUsers {
		for _, name := range pod.Copies {
			key := types.NamespacedName{Namespace: pod.Namespace, Name: name}
			users[key] = append(users[key], pod)
		}
	}
	return users
}

// CountGated returns the number of pods that wait for migrations.
func (p *InjectedPods) CountGated() int {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	count := 0
	for _, pods := range p.byDatabase {
		for _, pod := range pods {
			if pod.Migration.Gated {
				count++
			}
		}
	}
	return count
}

// CountAwaitingCopies returns the number of pods that wait for copies of libraries' releases.
func (p *InjectedPods) CountAwaitingCopies() int {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	count := 0
	for _, pod := range p.copyUsers {
		if pod.AwaitsCopies {
			count++
		}
	}
	return count
}
