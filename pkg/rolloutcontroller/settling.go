package rolloutcontroller

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// settleDelay is how long the sources of a plugin must not change before a workload moves to a release. The sources of
// a release are created one after another.
const settleDelay = 5 * time.Second

// settling remembers when the sources of plugins last changed. The zero value is empty. It is safe for concurrent use.
type settling struct {
	mutex   sync.Mutex
	changed map[types.NamespacedName]time.Time
}

// note notes a change of a plugin's sources. It forgets older changes that no longer matter.
func (s *settling) note(plugin types.NamespacedName, now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	maps.DeleteFunc(s.changed, func(_ types.NamespacedName, at time.Time) bool { return now.Sub(at) >= settleDelay })
	if s.changed == nil {
		s.changed = map[types.NamespacedName]time.Time{}
	}
	s.changed[plugin] = now
}

// isSettled reports whether the sources of a plugin have not changed for settleDelay.
func (s *settling) isSettled(plugin types.NamespacedName, now time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at, changed := s.changed[plugin]
	return !changed || now.Sub(at) >= settleDelay
}
