package admission

import (
	"context"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	fcache "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/test/configmaps"
)

// fakeInformers is a cache with one informer.
type fakeInformers struct {
	cache.Informers
	informer toolscache.SharedIndexInformer
}

func (f fakeInformers) GetInformer(
	context.Context, client.Object, ...cache.InformerGetOption,
) (cache.Informer, error) {
	return f.informer, nil
}

// followed returns a cluster whose sources follow an informer until the test ends.
func followed(t *testing.T, configMaps *fcache.FakeControllerSource) *Cluster {
	t.Helper()
	options, err := clusterstate.SourcesCache()
	if err != nil {
		t.Fatal(err)
	}
	informer := toolscache.NewSharedIndexInformer(configMaps, &corev1.ConfigMap{}, 0, toolscache.Indexers{})
	if err := informer.SetTransform(options.Transform); err != nil {
		t.Fatal(err)
	}
	sources, err := clusterstate.NewSources(t.Context(), fakeInformers{informer: informer})
	if err != nil {
		t.Fatal(err)
	}
	go informer.RunWithContext(t.Context())
	if !toolscache.WaitForCacheSync(t.Context().Done(), sources.Synced) {
		t.Fatal("the informer does not sync")
	}
	return &Cluster{Sources: sources, Live: &fakeReader{}}
}

// TestAdmissionsWhileSourcesChange lets the race detector look at admissions while sources come and go.
func TestAdmissionsWhileSourcesChange(t *testing.T) {
	configMaps := fcache.NewFakeControllerSource()
	configMaps.Add(configmaps.Source("kong", "a", "dao-test"))
	h := newHarness(t, followed(t, configMaps))
	body := podReviewOf(t, kongPod("dao-test"), "kong")
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			for range 50 {
				if got := h.post(t, body); !got.response.Allowed {
					t.Errorf("denied: %s", got.body)
				}
			}
		})
	}
	work.Go(func() {
		for i := range 200 {
			other := configmaps.Versioned(configmaps.Source("other", strconv.Itoa(i), "dao-test"), strconv.Itoa(i))
			configMaps.Add(other)
			configMaps.Modify(configmaps.Source("kong", "a", "dao-test"))
			configMaps.Delete(other.DeepCopy()) // Delete sets the resource version, and the informer reads the added object
		}
	})
	work.Wait()
}
