package clusterstate

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// UninjectedPod is a pod that requests plugins, but was created without a call of the webhook. Its metadata has only
// the namespace, the name and the versions.
type UninjectedPod struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	// Owner is the pod's controller, nil for a pod without one.
	Owner *metav1.OwnerReference
}

// DeepCopyObject implements runtime.Object. An UninjectedPod does not change, so it copies nothing.
func (p *UninjectedPod) DeepCopyObject() runtime.Object { return p }

// UninjectedPods follows the metadata of all pods, and keeps those that request plugins and have no injection record.
// It is safe for concurrent use.
type UninjectedPods struct {
	reflectors []*toolscache.Reflector

	mutex       sync.RWMutex
	pods        map[types.NamespacedName]*UninjectedPod
	subscribers subscribers[types.NamespacedName]
}

// NewUninjectedPods returns UninjectedPods that read the API server with Run, in some namespaces or in all. The
// selector is that of the webhook: it says for which pods the API server calls the webhook.
func NewUninjectedPods(live client.WithWatch, selector labels.Selector, namespaces ...string) *UninjectedPods {
	p := &UninjectedPods{pods: map[types.NamespacedName]*UninjectedPod{}}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		reader := podReader{
			live: live, namespace: namespace, newList: newPodMetadataList,
			reduce: func(object runtime.Object) (client.Object, bool) { return reduceUninjectedPod(object, selector) },
		}
		p.reflectors = append(p.reflectors, reader.newReflector(
			"pods that request plugins", &UninjectedPod{}, uninjectedPodStore{p, namespace}))
	}
	return p
}

// StaticUninjectedPods returns UninjectedPods that hold the given pods. Tests use it instead of an API server.
func StaticUninjectedPods(pods ...*UninjectedPod) *UninjectedPods {
	p := &UninjectedPods{pods: map[types.NamespacedName]*UninjectedPod{}}
	for _, pod := range pods {
		p.set(client.ObjectKeyFromObject(pod), pod)
	}
	return p
}

func newPodMetadataList() client.ObjectList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	return list
}

// reduceUninjectedPod returns what to keep of a pod's metadata. It returns false unless the webhook should have
// injected plugins, and did not.
func reduceUninjectedPod(object runtime.Object, selector labels.Selector) (reduced *UninjectedPod, counts bool) {
	pod, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return &UninjectedPod{}, false
	}
	reduced = &UninjectedPod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		},
		Owner: metav1.GetControllerOf(pod),
	}
	isInjected := pod.Labels[annotations.Injected] != "" || pod.Annotations[annotations.InjectionRecord] != ""
	if isInjected || pod.DeletionTimestamp != nil || !selector.Matches(labels.Set(pod.Labels)) {
		return reduced, false
	}
	request, malformed := annotations.Parse(pod.Annotations)
	return reduced, len(request.Plugins)+len(malformed) > 0
}

// Run follows the API server until ctx ends.
func (p *UninjectedPods) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, reflector := range p.reflectors {
		running.Go(func() { reflector.RunWithContext(ctx) })
	}
	running.Wait()
}

// Get returns a pod, or nil if it does not count.
func (p *UninjectedPods) Get(key types.NamespacedName) *UninjectedPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	return p.pods[key]
}

// Subscribe calls changed for every pod that later starts or ceases to count. Call cancel to end the subscription.
func (p *UninjectedPods) Subscribe(changed func(types.NamespacedName)) (cancel func()) {
	return p.subscribers.add(changed)
}

// set keeps a pod, or removes it if it is nil. It reports whether this is a change: a pod with the same name can be
// another one.
func (p *UninjectedPods) set(key types.NamespacedName, pod *UninjectedPod) {
	p.mutex.Lock()
	old := p.pods[key]
	if delete(p.pods, key); pod != nil {
		p.pods[key] = pod
	}
	p.mutex.Unlock()
	if (old == nil) != (pod == nil) || old != nil && old.UID != pod.UID {
		p.subscribers.notify(key)
	}
}

// in returns the keys of the pods in a namespace, or of all pods if it is "".
func (p *UninjectedPods) in(namespace string) sets.Set[types.NamespacedName] {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	keys := sets.Set[types.NamespacedName]{}
	for key := range p.pods {
		if namespace == metav1.NamespaceAll || namespace == key.Namespace {
			keys.Insert(key)
		}
	}
	return keys
}

// uninjectedPodStore lets the reflector of a namespace write to UninjectedPods.
type uninjectedPodStore struct {
	pods      *UninjectedPods
	namespace string
}

func (s uninjectedPodStore) Add(object any) error {
	pod, ok := object.(*UninjectedPod)
	if !ok {
		return fmt.Errorf("keep an object of type %T, want an uninjected pod", object)
	}
	s.pods.set(client.ObjectKeyFromObject(pod), pod)
	return nil
}

func (s uninjectedPodStore) Update(object any) error { return s.Add(object) }

func (s uninjectedPodStore) Delete(object any) error {
	pod, ok := object.(*UninjectedPod)
	if !ok {
		return fmt.Errorf("remove an object of type %T, want an uninjected pod", object)
	}
	s.pods.set(client.ObjectKeyFromObject(pod), nil)
	return nil
}

// Replace implements toolscache.ReflectorStore. The objects are all pods of the namespace that count.
func (s uninjectedPodStore) Replace(objects []any, _ string) error {
	gone := s.pods.in(s.namespace)
	for _, object := range objects {
		if err := s.Add(object); err != nil {
			return err
		}
		gone.Delete(client.ObjectKeyFromObject(object.(*UninjectedPod)))
	}
	for key := range gone {
		s.pods.set(key, nil)
	}
	return nil
}

func (s uninjectedPodStore) Resync() error { return nil }
