package admission

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
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

// Admit applies decision.Admit to the releases in the cache. If the cache lacks some, it reads them from the API server
// and decides again: the cache may not have a new ConfigMap yet when a pod that uses it is created. It reads only the
// plugins that the cache lacks. An error means that the API server could not be read; it is not a decision about the pod.
func (s *Sources) Admit(ctx context.Context, pod decision.Pod, cluster decision.Cluster) (decision.Decision, error) {
	cluster.Releases = s.Releases
	cached, err := decision.Admit(pod, cluster)
	if err != nil || len(cached.NotFound) == 0 {
		return cached, err
	}
	// A webhook that shuts down cancels the contexts of the requests that it is still answering.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveReadTimeout)
	defer cancel()
	live := &catalog.Index{}
	notFound := cached.NotFound // the function below must not keep the whole decision in memory
	for namespace, plugins := range notFound {
		if err := clusterstate.ReadSources(ctx, s.Live, live, namespace, sets.List(plugins)); err != nil {
			return decision.Decision{}, err
		}
	}
	cluster.Releases = func(namespace, plugin string) []*catalog.Release {
		if notFound[namespace].Has(plugin) {
			return live.Releases(namespace, plugin)
		}
		return s.Releases(namespace, plugin)
	}
	return decision.Admit(pod, cluster)
}
