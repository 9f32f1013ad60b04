package clusterstate

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Ungater removes scheduling gates from pods. It remembers for which pods it has done that: the cache still shows the
// gate for a moment, and each pod needs only one request. The zero value is ready to use. It is safe for concurrent
// use.
type Ungater struct {
	mutex   sync.Mutex
	ungated map[types.UID]time.Time
}

// GatedPod is a pod that has a gate.
type GatedPod struct {
	types.NamespacedName
	UID types.UID
}

const (
	// maxConcurrentUngates limits how many gates one call removes at the same time.
	maxConcurrentUngates = 8
	// ungateRetryDelay is when to remove the gate of a pod again that still has it in the cache.
	ungateRetryDelay = 10 * time.Second
)

// Ungate removes a gate from pods, several at a time. It skips pods whose gate it removed shortly before now. It
// returns the number of pods whose gate it removed. An error for one pod does not stop the others.
func (u *Ungater) Ungate(
	ctx context.Context, writer client.Writer, gate string, pods []GatedPod, now time.Time,
) (int, error) {
	pods = u.begin(pods, now)
	work := make(chan GatedPod)
	errs := make([]error, min(maxConcurrentUngates, len(pods)))
	removed := make([]int, len(errs))
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for pod := range work {
				if err := RemoveGate(ctx, writer, pod, gate); err != nil {
					u.forget(pod)
					errs[i] = errors.Join(errs[i], err)
					continue
				}
				removed[i]++
			}
		})
	}
	for _, pod := range pods {
		work <- pod
	}
	close(work)
	workers.Wait()
	total := 0
	for _, count := range removed {
		total += count
	}
	return total, errors.Join(errs...)
}

// begin returns the pods that were not ungated lately, and remembers them. It forgets those that were
// ungated long ago.
func (u *Ungater) begin(pods []GatedPod, now time.Time) (gated []GatedPod) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	maps.DeleteFunc(u.ungated, func(_ types.UID, at time.Time) bool { return now.Sub(at) >= ungateRetryDelay })
	if u.ungated == nil {
		u.ungated = map[types.UID]time.Time{}
	}
	for _, pod := range pods {
		if _, done := u.ungated[pod.UID]; !done {
			u.ungated[pod.UID] = now
			gated = append(gated, pod)
		}
	}
	return gated
}

// forget forgets a pod, so that the next call tries again.
func (u *Ungater) forget(pod GatedPod) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	delete(u.ungated, pod.UID)
}
