package clusterstate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follower follows the objects of a kind, and keeps those that count, reduced to what matters. Its memory does not
// depend on the others. It is safe for concurrent use.
type Follower[T client.Object] struct {
	reflectors []*toolscache.Reflector
	isSame     func(a, b T) bool

	mutex       sync.RWMutex
	byNamespace map[string]map[string]T
	// unread is the number of reflectors that have not read their first list.
	unread      int
	subscribers subscribers[types.NamespacedName]
}

// FollowerOptions says what a Follower keeps.
type FollowerOptions[T client.Object] struct {
	// Name is for log lines.
	Name string
	// Empty is any reduced object.
	Empty T
	// NewList returns an empty list, which says what to read of the objects.
	NewList func() client.ObjectList
	// Fields is a field selector, "" for all objects.
	Fields string
	// Namespaces are what to read, none for all namespaces.
	Namespaces []string
	// Reduce returns what to keep of an object. It returns false for an object that does not count. Only the key and the
	// version are then set.
	Reduce func(runtime.Object) (T, bool)
	// IsSame reports whether a change of an object does not matter to subscribers.
	IsSame func(a, b T) bool
}

// NewFollower returns a Follower that reads the API server with Run.
func NewFollower[T client.Object](live client.WithWatch, options FollowerOptions[T]) *Follower[T] {
	f := &Follower[T]{isSame: options.IsSame, byNamespace: map[string]map[string]T{}}
	namespaces := options.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		reader := objectReader{
			live: live, namespace: namespace, fields: options.Fields, newList: options.NewList,
			reduce: func(object runtime.Object) (client.Object, bool) { return options.Reduce(object) },
		}
		f.reflectors = append(f.reflectors,
			reader.newReflector(options.Name, options.Empty, &followerStore[T]{follower: f, namespace: namespace}))
	}
	f.unread = len(f.reflectors)
	return f
}

// StaticFollower returns a Follower that holds the given objects. Tests use it instead of an API server.
func StaticFollower[T client.Object](objects ...T) *Follower[T] {
	f := &Follower[T]{byNamespace: map[string]map[string]T{}}
	for _, object := range objects {
		f.put(object)
	}
	return f
}

// Run follows the API server until ctx ends.
func (f *Follower[T]) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, reflector := range f.reflectors {
		running.Go(func() { reflector.RunWithContext(ctx) })
	}
	running.Wait()
}

// Get returns an object, and whether it counts. Do not change it.
func (f *Follower[T]) Get(key types.NamespacedName) (object T, counts bool) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	object, counts = f.byNamespace[key.Namespace][key.Name]
	return object, counts
}

// Synced reports whether the Follower holds every object that existed when Run started.
func (f *Follower[T]) Synced() bool {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	return f.unread == 0
}

// Of returns the objects of a namespace, in no order. Do not change them.
func (f *Follower[T]) Of(namespace string) []T {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	return slices.Collect(maps.Values(f.byNamespace[namespace]))
}

// Keys returns the keys of all objects that count, in no order.
func (f *Follower[T]) Keys() []types.NamespacedName {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	var keys []types.NamespacedName
	for namespace, objects := range f.byNamespace {
		for name := range objects {
			keys = append(keys, types.NamespacedName{Namespace: namespace, Name: name})
		}
	}
	return keys
}

// Subscribe calls changed for every object that later starts or ceases to count, or changes. It also calls changed with
// an empty key when the Follower is synced, because there may be no objects. Call cancel to end the subscription.
func (f *Follower[T]) Subscribe(changed func(types.NamespacedName)) (cancel func()) {
	return f.subscribers.add(changed)
}

// put keeps an object. An object with the same name can be another one.
func (f *Follower[T]) put(object T) {
	key := client.ObjectKeyFromObject(object)
	f.mutex.Lock()
	if f.byNamespace[key.Namespace] == nil {
		f.byNamespace[key.Namespace] = map[string]T{}
	}
	old, existed := f.byNamespace[key.Namespace][key.Name]
	f.byNamespace[key.Namespace][key.Name] = object
	f.mutex.Unlock()
	if !existed || !f.isSame(old, object) {
		f.subscribers.notify(key)
	}
}

func (f *Follower[T]) remove(key types.NamespacedName) {
	f.mutex.Lock()
	_, existed := f.byNamespace[key.Namespace][key.Name]
	delete(f.byNamespace[key.Namespace], key.Name)
	if len(f.byNamespace[key.Namespace]) == 0 {
		delete(f.byNamespace, key.Namespace)
	}
	f.mutex.Unlock()
	if existed {
		f.subscribers.notify(key)
	}
}

// noteRead notes that a reflector has read its first list.
func (f *Follower[T]) noteRead() {
	f.mutex.Lock()
	f.unread--
	isSynced := f.unread == 0
	f.mutex.Unlock()
	if isSynced {
		f.subscribers.notify(types.NamespacedName{})
	}
}

// followerStore lets the reflector of a namespace write to a Follower.
type followerStore[T client.Object] struct {
	follower  *Follower[T]
	namespace string
	// hasRead reports whether the first list was read. Only the reflector uses it.
	hasRead bool
}

func (s *followerStore[T]) Add(object any) error {
	reduced, ok := object.(T)
	if !ok {
		return fmt.Errorf("keep an object of type %T, want %T", object, reduced)
	}
	s.follower.put(reduced)
	return nil
}

func (s *followerStore[T]) Update(object any) error { return s.Add(object) }

func (s *followerStore[T]) Delete(object any) error {
	reduced, ok := object.(T)
	if !ok {
		return fmt.Errorf("remove an object of type %T, want %T", object, reduced)
	}
	s.follower.remove(client.ObjectKeyFromObject(reduced))
	return nil
}

// Replace implements toolscache.ReflectorStore. The objects are all that count in the namespace.
func (s *followerStore[T]) Replace(objects []any, _ string) error {
	gone := sets.Set[types.NamespacedName]{}
	for _, key := range s.follower.Keys() {
		if s.namespace == metav1.NamespaceAll || s.namespace == key.Namespace {
			gone.Insert(key)
		}
	}
	for _, object := range objects {
		if err := s.Add(object); err != nil {
			return err
		}
		gone.Delete(client.ObjectKeyFromObject(object.(T)))
	}
	for key := range gone {
		s.follower.remove(key)
	}
	if !s.hasRead {
		s.hasRead = true
		s.follower.noteRead()
	}
	return nil
}

func (s *followerStore[T]) Resync() error { return nil }
