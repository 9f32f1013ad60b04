package admission

import (
	"context"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
)

const (
	// confirmationTTL is how long the API server is not read again for a plugin. It limits the requests that pods in a
	// loop can cause.
	confirmationTTL = time.Second
	// arrivalTime is how long a pod waits for the cache if the API server is not read again for it. A watch usually
	// delivers a new ConfigMap in a few milliseconds.
	arrivalTime = 50 * time.Millisecond
	// maxConfirmations limits the memory. Without a free place, the API server is read each time.
	maxConfirmations = 1024
)

// pluginKey is a plugin in a namespace.
type pluginKey struct{ namespace, plugin string }

// confirmations remembers for which plugins the API server recently had only what the cache has. Then a denial from the
// cache is right, and does not have to be confirmed again. A change of a plugin's sources ends its confirmation. The
// zero value is empty and ready to use. It is safe for concurrent use.
type confirmations struct {
	following sync.Once
	mutex     sync.Mutex
	expiries  map[pluginKey]time.Time
	// changes counts the changes of sources.
	changes uint64
	// changed is closed when a confirmation ends because of a change. It is nil if no pod waits for that.
	changed chan struct{}
}

// follow ends confirmations when sources change.
func (c *confirmations) follow(sources *clusterstate.Sources) {
	c.following.Do(func() {
		sources.SubscribeToPlugins(func(key types.NamespacedName) { c.forget(pluginKey{key.Namespace, key.Name}) })
	})
}

// events returns how many changes there were. Call it before the API server is read.
func (c *confirmations) events() uint64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.changes
}

// add confirms plugins, unless sources have changed since the read of the API server began.
func (c *confirmations) add(keys []pluginKey, events uint64, now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.changes != events {
		return
	}
	if c.expiries == nil {
		c.expiries = map[pluginKey]time.Time{}
	}
	if len(c.expiries)+len(keys) > maxConfirmations {
		for key, expiry := range c.expiries {
			if !now.Before(expiry) {
				delete(c.expiries, key)
			}
		}
	}
	for _, key := range keys[:min(len(keys), maxConfirmations-len(c.expiries))] {
		c.expiries[key] = now.Add(confirmationTTL)
	}
}

// has reports whether all of the plugins are confirmed.
func (c *confirmations) has(keys []pluginKey, now time.Time) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.hasAll(keys, now)
}

// hasAll is has with the lock.
func (c *confirmations) hasAll(keys []pluginKey, now time.Time) bool {
	for _, key := range keys {
		if !now.Before(c.expiries[key]) {
			return false
		}
	}
	return true
}

// forget ends the confirmation of a plugin.
func (c *confirmations) forget(key pluginKey) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.changes++
	if _, confirmed := c.expiries[key]; !confirmed {
		return
	}
	delete(c.expiries, key)
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// hold reports whether all of the plugins are confirmed, and stay so for a short time. In this time, the cache gets
// what was created before the pod.
func (c *confirmations) hold(ctx context.Context, keys []pluginKey) bool {
	timer := time.NewTimer(arrivalTime)
	defer timer.Stop()
	until := time.Now()
	for {
		c.mutex.Lock()
		if !c.hasAll(keys, until) {
			c.mutex.Unlock()
			return false
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mutex.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return true
		}
	}
}

// keysOf returns the plugins, which are given by namespace.
func keysOf(plugins map[string]sets.Set[string]) []pluginKey {
	var keys []pluginKey
	for namespace, names := range plugins {
		for name := range names {
			keys = append(keys, pluginKey{namespace, name})
		}
	}
	return keys
}

// confirm remembers the plugins of which the API server has only what the cache has.
func (c *Cluster) confirm(keys []pluginKey, live *catalog.Index, events uint64) {
	var same []pluginKey
	for _, key := range keys {
		if reflect.DeepEqual(
			live.Releases(key.namespace, key.plugin), c.Sources.Releases(key.namespace, key.plugin)) {
			same = append(same, key)
		}
	}
	c.confirmed.add(same, events, time.Now())
}
