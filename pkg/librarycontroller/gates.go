package librarycontroller

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
)

const (
	// maxConcurrentUngates limits how many gates of a namespace are removed at the same time.
	maxConcurrentUngates = 8
	// ungateRetryDelay is when to remove the gate of a pod again that still has it in the cache.
	ungateRetryDelay = 10 * time.Second
)

// ungatedPods remembers when the gates of pods were removed, by namespace. The cache still shows the gate for a moment,
// and each pod needs only one request. The zero value is empty and ready to use. It is safe for concurrent use.
type ungatedPods struct {
	mutex       sync.Mutex
	byNamespace map[string]map[types.UID]time.Time
}

// without returns the pods that were not ungated lately.
func (u *ungatedPods) without(pods []*clusterstate.InjectedPod, now time.Time) (gated []*clusterstate.InjectedPod) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for _, pod := range pods {
		at, ungated := u.byNamespace[pod.Namespace][pod.UID]
		if !ungated || now.Sub(at) >= ungateRetryDelay {
			gated = append(gated, pod)
		}
	}
	return gated
}

func (u *ungatedPods) add(pod *clusterstate.InjectedPod, now time.Time) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.byNamespace == nil {
		u.byNamespace = map[string]map[types.UID]time.Time{}
	}
	if u.byNamespace[pod.Namespace] == nil {
		u.byNamespace[pod.Namespace] = map[types.UID]time.Time{}
	}
	u.byNamespace[pod.Namespace][pod.UID] = now
}

// expire forgets the pods that were ungated too long ago to matter.
func (u *ungatedPods) expire(now time.Time) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for namespace, pods := range u.byNamespace {
		maps.DeleteFunc(pods, func(_ types.UID, at time.Time) bool { return now.Sub(at) >= ungateRetryDelay })
		if len(pods) == 0 {
			delete(u.byNamespace, namespace)
		}
	}
}

// removeGates removes our gate from pods, several at a time. An error for one pod does not stop the
// others.
func (c *Controller) removeGates(ctx context.Context, pods []*clusterstate.InjectedPod) error {
	pods = c.ungated.without(pods, c.Now())
	work := make(chan *clusterstate.InjectedPod)
	errs := make([]error, min(maxConcurrentUngates, len(pods)))
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for pod := range work {
				err := clusterstate.RemoveGate(ctx, c.Client, pod.Key(), annotations.LibraryGate)
				if err == nil {
					c.ungated.add(pod, c.Now())
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	for _, pod := range pods {
		work <- pod
	}
	close(work)
	workers.Wait()
	return errors.Join(errs...)
}
