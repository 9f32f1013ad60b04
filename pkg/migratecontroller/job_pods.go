package migratecontroller

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/migrate"
)

// jobPodTTL is how long the state of a Job's pod is kept. The next resync reads it again.
const jobPodTTL = resyncInterval / 2

// jobPods caches the states of the pods of Jobs. Each change of a pod causes a plan, and must not cause a read
// of the pods of a Job. The zero value is empty and ready to use. It is safe for concurrent use.
type jobPods struct {
	mutex   sync.Mutex
	entries map[types.UID]jobPodEntry
}

type jobPodEntry struct {
	read  time.Time
	state migrate.JobPod
}

// get returns the state of a Job's pod, and whether it is known.
func (j *jobPods) get(job types.UID) (state migrate.JobPod, known bool) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	entry, known := j.entries[job]
	return entry.state, known && time.Since(entry.read) < jobPodTTL
}

// set adds the state of a Job's pod and removes expired entries.
func (j *jobPods) set(job types.UID, state migrate.JobPod) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.entries == nil {
		j.entries = map[types.UID]jobPodEntry{}
	}
	maps.DeleteFunc(j.entries, func(_ types.UID, entry jobPodEntry) bool {
		return time.Since(entry.read) >= jobPodTTL
	})
	j.entries[job] = jobPodEntry{time.Now(), state}
}
