package migratecontroller

import "sync/atomic"

// livePlans limits the plans that read the API server at the same time. The other workers remain for plans from the
// cache, which are fast and let pods start. The zero value is ready to use.
type livePlans struct{ running atomic.Int32 }

// maxLivePlans is smaller than maxConcurrentReconciles.
const maxLivePlans = 12

// begin reports whether another plan may read the API server. If so, call end after it.
func (l *livePlans) begin() bool {
	if l.running.Add(1) > maxLivePlans {
		l.running.Add(-1)
		return false
	}
	return true
}

func (l *livePlans) end() { l.running.Add(-1) }
