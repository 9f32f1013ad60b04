package policycontroller

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/policy"
)

// enforcementDelay is how long pods can be created without the plugins of a policy after it is enforced. API servers
// learn of the webhook by a watch, and the webhook learns of the policy by a watch.
const enforcementDelay = 30 * time.Second

// nextEnforcedSince returns since when a policy is enforced, nil if it is not. The webhookErr says why API servers may
// not call the webhook. It changes nothing for an enforced policy: pods that are created meanwhile lack the plugins.
func nextEnforcedSince(
	item *v1alpha1.PluginPolicy, valid *policy.Policy, webhookErr error, now time.Time,
) *metav1.Time {
	switch before := item.Status.EnforcedSince; {
	case valid == nil || valid.Audits || len(valid.Plugins) == 0:
		return nil
	case before != nil && item.Status.ObservedGeneration == item.Generation:
		return before
	case webhookErr != nil:
		return nil
	}
	return new(metav1.NewTime(now.Truncate(time.Second))) // the API server stores seconds
}

// enforcedSince returns since when the policies are enforced that are, by name.
func enforcedSince(policies *clusterstate.PolicySet) map[string]time.Time {
	enforced := map[string]time.Time{}
	for i := range policies.Items {
		item := &policies.Items[i]
		if since := item.Status.EnforcedSince; since != nil && item.Status.ObservedGeneration == item.Generation {
			enforced[item.Name] = since.Time
		}
	}
	return enforced
}

// isUninjected reports whether an outdated pod was created without a call of the webhook. A pod with other plugins was
// seen by the webhook.
func isUninjected(pod *clusterstate.KongPod, enforcedSince time.Time) bool {
	return !enforcedSince.IsZero() && len(pod.Releases) == 0 &&
		pod.CreationTimestamp.After(enforcedSince.Add(enforcementDelay))
}

// reportedPod is a pod that lacks the plugins of a policy.
type reportedPod struct {
	policy string
	pod    types.UID
}

// reportUninjected records an Event for each uninjected pod that the last count did not have.
func (c *Controller) reportUninjected(counted map[string]*counts) {
	if counted == nil {
		return
	}
	reported := sets.Set[reportedPod]{}
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		for _, pod := range counted[name].uninjected {
			key := reportedPod{name, pod.UID}
			reported.Insert(key)
			if !c.reported.Has(key) {
				c.Events.WarnAboutPod(pod.Owner, pod, events.PluginsMissing, "CreatePod",
					fmt.Sprintf("pod %q runs without the plugins of policy %q: kongdao was not called when the pod was created, or "+
						"the policy selects its namespace only since then. Check that the webhook is installed and ready, then "+
						"replace the pod", pod.Name, name))
			}
		}
	}
	c.reported = reported
}
