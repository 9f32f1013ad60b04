package clusterstate

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/annotations"
)

// DatabaseKey names a database as the pods of one namespace use it.
type DatabaseKey struct{ Namespace, Database string }

// InjectedPods indexes the injected pods by their database and by the copies that they mount. The cost of a change does
// not depend on the number of pods. The zero value is empty and ready to use. It is safe for concurrent use.
type InjectedPods struct {
	mutex sync.RWMutex
	// pods holds the pods that matter for migrations or mount copies.
	pods map[types.NamespacedName]*InjectedPod
	// databases holds the pods that matter for migrations, by the key of their database.
	databases map[string]*databasePods
	// copyUsers holds the pods that mount copies of libraries' releases.
	copyUsers copyUsers
	// synced reports whether the index holds every pod that existed when the informer started. It is nil without an
	// informer.
	synced func() bool

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
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    p.put,
		UpdateFunc: func(_, changed any) { p.put(changed) },
		DeleteFunc: p.delete,
	})
	if err != nil {
		return nil, fmt.Errorf("watch the pods labelled %s: %w", annotations.Injected, err)
	}
	p.synced = registration.HasSynced
	return p, nil
}

// StaticInjectedPods returns InjectedPods that hold the given pods and never change. Tests use it instead of an API
// server.
func StaticInjectedPods(pods ...*corev1.Pod) (*InjectedPods, error) {
	index := &InjectedPods{}
	for _, pod := range pods {
		reduced, err := reducePod(pod)
		if err != nil {
			return nil, err
		}
		index.put(reduced)
	}
	return index, nil
}

// Synced reports whether the index holds every injected pod that existed when the informer started.
func (p *InjectedPods) Synced() bool { return p.synced == nil || p.synced() }

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

// replace puts a new version of a pod into the index and reports the databases whose plans it can change. It removes
// the pod if the new version is nil.
func (p *InjectedPods) replace(key types.NamespacedName, pod *InjectedPod) {
	p.mutex.Lock()
	old := p.pods[key]
	changed := p.replaceInDatabases(old, pod)
	p.copyUsers.replace(old, pod)
	if p.pods == nil {
		p.pods = map[types.NamespacedName]*InjectedPod{}
	}
	if delete(p.pods, key); pod != nil && (pod.migrates || pod.mountsCopies()) {
		p.pods[key] = pod
	}
	p.mutex.Unlock()
	p.databaseSubscribers.notify(changed...)
}

// CountGated returns the number of pods that wait for migrations.
func (p *InjectedPods) CountGated() int {
	return p.count(func(pod *InjectedPod) bool { return pod.migrates && pod.Migration.Gated })
}

// CountAwaitingCopies returns the number of pods that wait for copies of libraries' releases.
func (p *InjectedPods) CountAwaitingCopies() int {
	return p.count(func(pod *InjectedPod) bool { return pod.mountsCopies() && pod.AwaitsCopies })
}

func (p *InjectedPods) count(matches func(*InjectedPod) bool) int {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	count := 0
	for _, pod := range p.pods {
		if matches(pod) {
			count++
		}
	}
	return count
}
