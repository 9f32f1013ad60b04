package clusterstate

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// SubscribeToDatabases calls changed for every database that has pods now, and later for every database whose pods
// change in a way that can change a plan. Each namespace with pods of the database has its own key: its `finish` may
// wait for pods in other namespaces. A pod with our gate does not run, so its changes are reported only for its own
// namespace. A key can be reported more than once. Call cancel to end the subscription.
func (p *InjectedPods) SubscribeToDatabases(changed func(DatabaseKey)) (cancel func()) {
	// Subscribe before reading: a pod that changes between the two is reported twice, and never missed.
	cancel = p.databaseSubscribers.add(changed)
	p.mutex.RLock()
	var keys []DatabaseKey
	for database, pods := range p.databases {
		keys = append(keys, pods.keys(database)...)
	}
	p.mutex.RUnlock()
	for _, key := range keys {
		changed(key)
	}
	return cancel
}

// SubscribeToWaitingPods calls waits for every pod that waits for copies now, and later for every change of a pod that
// waits for copies. A pod can be reported more than once. Call cancel to end the subscription.
func (p *InjectedPods) SubscribeToWaitingPods(waits func(types.NamespacedName)) (cancel func()) {
	cancel = p.waitingSubscribers.add(waits)
	p.mutex.RLock()
	var keys []types.NamespacedName
	for key, pod := range p.pods {
		if pod.mountsCopies() && pod.AwaitsCopies {
			keys = append(keys, key)
		}
	}
	p.mutex.RUnlock()
	for _, key := range keys {
		waits(key)
	}
	return cancel
}

// SubscribeToDeletedCopies calls deleted for every copy that is deleted from now on. Call cancel to end the
// subscription.
func (s *Sources) SubscribeToDeletedCopies(deleted func(types.NamespacedName)) (cancel func()) {
	return s.copies.deletionSubscribers.add(deleted)
}

// SubscribeToPlugins calls changed with the namespace and the name of every plugin whose sources change from now on.
// The change is visible in Releases before the call. Call cancel to end the subscription.
func (s *Sources) SubscribeToPlugins(changed func(types.NamespacedName)) (cancel func()) {
	return s.pluginSubscribers.add(changed)
}

// subscribers are functions that want to know the keys of changed objects. The zero value is empty and ready to use. It
// is safe for concurrent use.
type subscribers[Key any] struct {
	mutex     sync.RWMutex
	lastID    int
	functions map[int]func(Key)
}

// add adds a subscriber and returns a function that removes it. A call that is already running may end after that.
func (s *subscribers[Key]) add(function func(Key)) (cancel func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.functions == nil {
		s.functions = map[int]func(Key){}
	}
	s.lastID++
	id := s.lastID
	s.functions[id] = function
	return func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		delete(s.functions, id)
	}
}

// notify calls every subscriber with every key, without a lock. Callers must not hold a lock either, because
// subscribers may read the changed object.
func (s *subscribers[Key]) notify(keys ...Key) {
	s.mutex.RLock()
	functions := slices.Collect(maps.Values(s.functions))
	s.mutex.RUnlock()
	for _, function := range functions {
		for _, key := range keys {
			function(key)
		}
	}
}
