package migratecontroller

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// waitingReasonTTL is how long a waiting reason is kept. The next resync reads it again.
const waitingReasonTTL = resyncInterval / 2

// waitingReasons caches why the pods of Jobs do not run. Each change of a pod causes a plan, and must not cause a read
// of the pods of a Job. The zero value is empty and ready to use. It is safe for concurrent use.
type waitingReasons struct {
	mutex   sync.Mutex
	entries map[types.UID]waitingEntry
}

type waitingEntry struct {
	read   time.Time
	reason string
}

// get returns the waiting reason of a Job, and whether it is known.
func (w *waitingReasons) get(job types.UID) (reason string, known bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	entry, known := w.entries[job]
	return entry.reason, known && time.Since(entry.read) < waitingReasonTTL
}

// set adds the waiting reason of a Job and removes expired entries.
func (w *waitingReasons) set(job types.UID, reason string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.entries == nil {
		w.entries = map[types.UID]waitingEntry{}
	}
	maps.DeleteFunc(w.entries, func(_ types.UID, entry waitingEntry) bool {
		return time.Since(entry.read) >= waitingReasonTTL
	})
	w.entries[job] = waitingEntry{time.Now(), reason}
}
