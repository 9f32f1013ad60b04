package admission

import (
	"context"
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Sources finds the plugins' sources: first in the cache, then in the API server.
type Sources struct {
	*clusterstate.Sources
	// Live reads the API server, not a cache.
	Live client.Reader
}

// liveReadTimeout limits how long an admission waits for the API server. It is shorter than the five seconds that the
// API server waits for the webhook, so that the API server gets an answer that says what failed.
const liveReadTimeout = 3 * time.Second

// Decide applies policy.Decide to the releases in the cache. If the cache lacks some, it reads them from the API server
// and decides again: the cache may not have a new ConfigMap yet when a pod that uses it is created. It reads only the
// plugins that the cache lacks. An error means that the API server could not be read; it is not a decision about the pod.
func (s *Sources) Decide(ctx context.Context, policies []*policy.Policy, namespace string, pod mutate.Pod) (policy.Decision, error) {
	decision := policy.Decide(policies, namespace, pod, s.Releases)
	if len(decision.Missing) == 0 {
		return decision, nil
	}
	// A webhook that shuts down cancels the contexts of the requests that it is still answering.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveReadTimeout)
	defer cancel()
	live := &catalog.Index{}
	for namespace, plugins := range decision.Missing {
		if err := clusterstate.ReadSources(ctx, s.Live, live, namespace, slices.Sorted(maps.Keys(plugins))); err != nil {
			return policy.Decision{}, err
		}
	}
	return policy.Decide(policies, namespace, pod, func(namespace, plugin string) []*catalog.Release {
		if decision.Missing[namespace][plugin] {
			return live.Releases(namespace, plugin)
		}
		return s.Releases(namespace, plugin)
	}), nil
}
