package migratecontroller

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// looks remembers for a while what was last seen of the pods of Jobs that run:
// each pod that comes or goes is a reason to plan, and none to list them. Its
// zero value is empty. It is safe for concurrent use.
type looks struct {
	mutex sync.Mutex
	seen  map[types.UID]look
}

type look struct {
	at    time.Time
	waits string
}

// shelfLife has passed when a Job is looked at again.
const shelfLife = lookAgain / 2

// recent is why a Job's pod does not run, if that was looked at not long ago.
func (l *looks) recent(job types.UID) (waits string, known bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	last, known := l.seen[job]
	return last.waits, known && time.Since(last.at) < shelfLife
}

func (l *looks) remember(job types.UID, waits string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.seen == nil {
		l.seen = map[types.UID]look{}
	}
	maps.DeleteFunc(l.seen, func(_ types.UID, old look) bool { return time.Since(old.at) >= shelfLife })
	l.seen[job] = look{time.Now(), waits}
}
