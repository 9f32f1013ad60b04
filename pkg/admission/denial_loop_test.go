package admission

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/test/configmaps"
)

// TestDryRunsInALoop checks that pods that are denied in a loop do not cause a list request each.
func TestDryRunsInALoop(t *testing.T) {
	const pods = 100
	good := configmaps.Source("kong", "a", "dao-test")
	broken := configmaps.Source("kong", "broken", "broken")
	delete(broken.Data, "schema.lua")
	for name, plugins := range map[string]string{
		"unknown plugin": "nope", "unknown plugins": "nope,nope2,dao-test", "unknown version": "dao-test@7",
		"broken": "broken",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := cached(good, broken)
				live := &fakeReader{configMaps: []*corev1.ConfigMap{good, broken}}
				cluster.Live = live
				h := newHarness(t, cluster)
				dryRun := func(request *admissionv1.AdmissionRequest) { request.DryRun = new(true) }
				start := time.Now()
				var first string
				for i := range pods {
					got := h.post(t, podReviewOf(t, kongPod(plugins), "kong", dryRun))
					if got.response.Allowed {
						t.Fatalf("pod %d is admitted", i)
					}
					if i == 0 {
						first = got.message()
					} else if got.message() != first {
						t.Fatalf("pod %d gets another message: %q, not %q", i, got.message(), first)
					}
				}
				if limit := 1 + int(time.Since(start)/confirmationTTL); len(live.lists) > limit || len(live.lists) > pods/10 {
					t.Errorf("%d pods in %v caused %d list requests, want at most %d", pods, time.Since(start), len(live.lists),
						limit)
				}
			})
		})
	}
}

// TestSourceAfterADenial checks that a pod gets its plugin if the ConfigMap was created immediately before it, although
// another pod was denied just before that.
func TestSourceAfterADenial(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		// arrives is when the cache gets the ConfigMap, after the request for the pod.
		arrives time.Duration
		// elapsed is the time between the denial and the request.
		elapsed time.Duration
	}{
		"cache first":   {"the cache has the ConfigMap", -1, 0},
		"cache follows": {"the webhook waits for the cache", arrivalTime / 2, 0},
		"no cache":      {"the API server is read after some time", time.Hour, confirmationTTL},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, arrive := notified(t)
				live := &fakeReader{}
				cluster.Live = live
				h := newHarness(t, cluster)
				body := podReviewOf(t, kongPod("dao-test"), "kong")
				if got := h.post(t, body); got.response.Allowed {
					t.Fatal("a pod with an unknown plugin is admitted")
				}
				time.Sleep(test.elapsed)
				source := configmaps.Source("kong", "a", "dao-test")
				live.configMaps = append(live.configMaps, source)
				if test.arrives < 0 {
					arrive(source)
				} else {
					time.AfterFunc(test.arrives, func() { arrive(source) })
				}
				if got := h.post(t, body); got.status != http.StatusOK || !got.response.Allowed {
					t.Errorf("%s: got %s", test.reason, got.body)
				}
			})
		})
	}
}

// notifier is an informer without a watch: a test passes objects to its handler.
type notifier struct {
	cache.Informer
	handler toolscache.ResourceEventHandler
}

// notifiers is a cache with the notifier as its informer.
type notifiers struct {
	cache.Informers
	informer *notifier
}

func (n notifiers) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return n.informer, nil
}

func (n *notifier) AddEventHandler(
	handler toolscache.ResourceEventHandler,
) (toolscache.ResourceEventHandlerRegistration, error) {
	n.handler = handler
	return synced{}, nil
}

// synced is the registration of a handler.
type synced struct {
	toolscache.ResourceEventHandlerRegistration
}

func (synced) HasSynced() bool { return true }

// notified returns a cluster with an empty cache, and a function that adds a source to the cache.
func notified(t *testing.T) (cluster *Cluster, arrive func(*corev1.ConfigMap)) {
	t.Helper()
	options, err := clusterstate.SourcesCache()
	if err != nil {
		t.Fatal(err)
	}
	informer := &notifier{}
	sources, err := clusterstate.NewSources(t.Context(), notifiers{informer: informer})
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{Sources: sources, Live: &fakeReader{}}, func(source *corev1.ConfigMap) {
		reduced, err := options.Transform(source)
		if err != nil {
			panic(err)
		}
		informer.handler.OnAdd(reduced, false)
	}
}

// TestConfirmationsAreLimited checks that many names of plugins do not fill the memory.
func TestConfirmationsAreLimited(t *testing.T) {
	var c confirmations
	now := time.Now()
	keys := make([]pluginKey, 2*maxConfirmations)
	for i := range keys {
		keys[i] = pluginKey{"kong", string(rune('a'+i%26)) + time.Duration(i).String()}
	}
	c.add(keys, c.events(), now)
	if len(c.expiries) != maxConfirmations {
		t.Errorf("%d confirmations are kept, want %d", len(c.expiries), maxConfirmations)
	}
	later := now.Add(confirmationTTL)
	if c.has(keys[:1], later) {
		t.Error("an expired confirmation counts")
	}
	c.add(keys[maxConfirmations:], c.events(), later)
	if !c.has(keys[maxConfirmations:], later) {
		t.Error("expired confirmations keep new ones out")
	}
	before := c.events()
	c.forget(keys[maxConfirmations])
	if c.has(keys[maxConfirmations:maxConfirmations+1], later) {
		t.Error("a confirmation survives a change of its plugin")
	}
	c.add(keys[maxConfirmations:maxConfirmations+1], before, later)
	if c.has(keys[maxConfirmations:maxConfirmations+1], later) {
		t.Error("a read that began before a change counts after it")
	}
}
