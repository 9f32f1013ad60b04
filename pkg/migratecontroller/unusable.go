package migratecontroller

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
)

// unusableReportInterval is how often a pod is reported that no Job can be made from.
const unusableReportInterval = time.Hour

// unusablePods remembers when pods were reported. The zero value is empty and ready to use. It is safe for concurrent
// use.
type unusablePods struct {
	mutex    sync.Mutex
	reported map[types.UID]time.Time
}

// begin reports whether to report a pod now, and remembers it.
func (u *unusablePods) begin(pod types.UID, now time.Time) bool {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if _, reported := u.reported[pod]; reported && now.Sub(u.reported[pod]) < unusableReportInterval {
		return false
	}
	maps.DeleteFunc(u.reported, func(_ types.UID, at time.Time) bool { return now.Sub(at) >= unusableReportInterval })
	if u.reported == nil {
		u.reported = map[types.UID]time.Time{}
	}
	u.reported[pod] = now
	return true
}

// reportUnusable logs why no Job can be made from pods. If a pod waits for its migration, its owner gets an Event.
func (c *Controller) reportUnusable(pods []migrate.Pod) {
	for i := range pods {
		pod := &pods[i]
		if !c.unusable.begin(pod.UID, time.Now()) {
			continue
		}
		c.Log.Info("A pod requires a migration, but no Job can be made from it", "namespace", pod.Namespace,
			"pod", pod.Name, "reason", pod.Unusable)
		injected := c.Pods.OfDatabase(pod.Requirement.Database.Key)
		at := slices.IndexFunc(injected, func(other *clusterstate.InjectedPod) bool { return other.UID == pod.UID })
		if pod.Gated && at >= 0 && injected[at].Owner != nil {
			c.Events.Warn(events.ReferenceTo(injected[at].Owner, pod.Namespace), "NoMigrationJob", "Migrate",
				fmt.Sprintf("Pod %q waits for a migration, but no Job can be made from it: %s", pod.Name, pod.Unusable))
		}
	}
}
