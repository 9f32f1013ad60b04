package migratecontroller

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/clusterstate"
)

// finishable remembers since when the plans for each database have allowed to finish migrations. It is not stored: a
// new leader begins again, because it has just read the pods. The zero value is empty and ready to use. It is safe for
// concurrent use.
type finishable struct {
	mutex sync.Mutex
	// since has the times by the name of the migration.
	since map[clusterstate.DatabaseKey]map[string]metav1.Time
}

// get returns the times for a database. Do not change them.
func (f *finishable) get(key clusterstate.DatabaseKey) map[string]metav1.Time {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.since[key]
}

// set records the migrations that the last plan for a database allows to finish.
func (f *finishable) set(key clusterstate.DatabaseKey, names []string, now metav1.Time) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if len(names) == 0 {
		delete(f.since, key)
		return
	}
	times := map[string]metav1.Time{}
	for _, name := range names {
		times[name] = now
		if before, known := f.since[key][name]; known {
			times[name] = before
		}
	}
	if f.since == nil {
		f.since = map[clusterstate.DatabaseKey]map[string]metav1.Time{}
	}
	f.since[key] = times
}
