package clusterstate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// KongPods holds the pods of the cluster that run Kong, injected or not. No label distinguishes them from other pods.
// So KongPods watches all pods and keeps only these. It is safe for concurrent use.
type KongPods struct {
	reflector *toolscache.Reflector

	mutex       sync.RWMutex
	byNamespace map[string]map[string]*KongPod
	synced      bool
	subscribers subscribers[types.NamespacedName]
}

// NewKongPods returns KongPods that read the API server with Run.
func NewKongPods(live client.WithWatch) *KongPods {
	p := &KongPods{}
	p.reflector = kongPodReader(live).newReflector("pods that run Kong", &KongPod{}, kongPodStore{p})
	return p
}

// StaticKongPods returns KongPods that hold the given pods. Tests use it instead of an API server.
func StaticKongPods(pods ...*KongPod) *KongPods {
	p := &KongPods{synced: true}
	for _, pod := range pods {
		p.put(pod)
	}
	return p
}

// Run follows the API server until ctx ends.
func (p *KongPods) Run(ctx context.Context) { p.reflector.RunWithContext(ctx) }

// Synced reports whether KongPods holds every pod that existed when Run started.
func (p *KongPods) Synced() bool {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	return p.synced
}

// Of returns the pods of a namespace, in no order. Do not change them.
func (p *KongPods) Of(namespace string) []*KongPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	return slices.Collect(maps.Values(p.byNamespace[namespace]))
}

// Subscribe calls changed for every pod that later starts or ceases to count, or counts differently. Call cancel to end
// the subscription.
func (p *KongPods) Subscribe(changed func(types.NamespacedName)) (cancel func()) {
	return p.subscribers.add(changed)
}

func (p *KongPods) put(pod *KongPod) {
	p.mutex.Lock()
	if p.byNamespace == nil {
		p.byNamespace = map[string]map[string]*KongPod{}
	}
	if p.byNamespace[pod.Namespace] == nil {
		p.byNamespace[pod.Namespace] = map[string]*KongPod{}
	}
	old := p.byNamespace[pod.Namespace][pod.Name]
	p.byNamespace[pod.Namespace][pod.Name] = pod
	p.mutex.Unlock()
	if old == nil || !old.sameCounts(pod) {
		p.subscribers.notify(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name})
	}
}

func (p *KongPods) delete(key types.NamespacedName) {
	p.mutex.Lock()
	_, existed := p.byNamespace[key.Namespace][key.Name]
	delete(p.byNamespace[key.Namespace], key.Name)
	if len(p.byNamespace[key.Namespace]) == 0 {
		delete(p.byNamespace, key.Namespace)
	}
	p.mutex.Unlock()
	if existed {
		p.subscribers.notify(key)
	}
}

// replace replaces all pods.
func (p *KongPods) replace(pods []*KongPod) {
	listed := map[types.NamespacedName]bool{}
	for _, pod := range pods {
		listed[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}] = true
		p.put(pod)
	}
	p.mutex.Lock()
	first := !p.synced
	p.synced = true
	var gone []types.NamespacedName
	for namespace, known := range p.byNamespace {
		for name := range known {
			if key := (types.NamespacedName{Namespace: namespace, Name: name}); !listed[key] {
				gone = append(gone, key)
			}
		}
	}
	p.mutex.Unlock()
	for _, key := range gone {
		p.delete(key)
	}
	if first {
		p.subscribers.notify(types.NamespacedName{}) // a cluster without Kong pods has a count too
	}
}

// kongPodStore lets a reflector write to KongPods.
type kongPodStore struct{ pods *KongPods }

func (s kongPodStore) Add(object any) error {
	pod, ok := object.(*KongPod)
	if !ok {
		return fmt.Errorf("keep an object of type %T, want a Kong pod", object)
	}
	s.pods.put(pod)
	return nil
}

func (s kongPodStore) Update(object any) error { return s.Add(object) }

func (s kongPodStore) Delete(object any) error {
	pod, ok := object.(*KongPod)
	if !ok {
		return fmt.Errorf("remove an object of type %T, want a Kong pod", object)
	}
	s.pods.delete(types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name})
	return nil
}

func (s kongPodStore) Replace(objects []any, _ string) error {
	pods := make([]*KongPod, 0, len(objects))
	for _, object := range objects {
		if pod, ok := object.(*KongPod); ok {
			pods = append(pods, pod)
		}
	}
	s.pods.replace(pods)
	return nil
}

func (s kongPodStore) Resync() error { return nil }
