package clusterstate

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	fcache "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/configmaps"
)

// reducedConfigMap returns what the cache keeps of a ConfigMap.
func reducedConfigMap(t testing.TB, configMap *corev1.ConfigMap) any {
	t.Helper()
	reduced, err := new(sourceBudget).reduceConfigMap(configMap)
	if err != nil {
		t.Fatal(err)
	}
	return reduced
}

// known lists the releases of a plugin, each as "plugin@version source source".
func known(sources *Sources, namespace, plugin string) []string {
	var found []string
	for _, release := range sources.Releases(namespace, plugin) {
		text := release.Plugin + "@" + release.Version
		for _, source := range release.Sources {
			text += " " + source.Name
		}
		found = append(found, text)
	}
	return found
}

// TestCacheDropsContents checks the cache's transform: a cache of whole ConfigMaps can exhaust the memory (fact W6).
func TestCacheDropsContents(t *testing.T) {
	const content = "-- must not be kept"
	configMap := configmaps.Source("kong", "dao-test", "dao-test")
	configMap.UID, configMap.ResourceVersion = "1-2-3", "77"
	configMap.Annotations = map[string]string{"other": content}
	configMap.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: content}}
	configMap.Data["handler.lua"] = content
	configMap.BinaryData = map[string][]byte{"api.lua": []byte(content)}
	kept := reducedConfigMap(t, configMap)
	if text := fmt.Sprintf("%+v", kept); strings.Contains(text, content) {
		t.Errorf("the cache keeps contents, foreign annotations or managed fields: %s", text)
	}
	if object := kept.(metav1.Object); object.GetNamespace() != "kong" || object.GetName() != "dao-test" ||
		object.GetUID() != "1-2-3" || object.GetResourceVersion() != "77" {
		t.Errorf("the cache cannot distinguish objects and their versions: %+v", kept)
	}
	for name, object := range map[string]any{
		"its own result":            kept,
		"an object of another kind": &corev1.Secret{},
		"a tombstone":               toolscache.DeletedFinalStateUnknown{Key: "kong/dao-test", Obj: kept},
		"nil":                       nil,
	} {
		again, err := new(sourceBudget).reduceConfigMap(object)
		if err != nil || !reflect.DeepEqual(again, object) {
			t.Errorf("%s was changed: %+v, %v", name, again, err)
		}
	}
}

// TestSourcesFollowEvents checks the effect of each kind of informer event.
func TestSourcesFollowEvents(t *testing.T) {
	old := func() *corev1.ConfigMap { return configmaps.Source("kong", "a", "dao-test") }
	for name, test := range map[string]struct {
		reason string
		happen func(*testing.T, *Sources)
		want   []string
	}{
		"none": {"every case starts with one source", func(*testing.T, *Sources) {}, []string{"dao-test@ a"}},
		"added to": {"sources with the same version form one release", func(t *testing.T, s *Sources) {
			s.put(reducedConfigMap(t, configmaps.Source("kong", "b", "dao-test")))
		}, []string{"dao-test@ a b"}},
		"updated": {"the new version of a ConfigMap replaces the old one", func(t *testing.T, s *Sources) {
			s.put(reducedConfigMap(t, configmaps.Versioned(old(), "2")))
		}, []string{"dao-test@2 a"}},
		"relabelled": {"the ConfigMap now belongs to another plugin", func(t *testing.T, s *Sources) {
			s.put(reducedConfigMap(t, configmaps.Source("kong", "a", "other")))
		}, nil},
		"label removed": {"a ConfigMap without the label is not a source, even if the watch reports an update",
			func(t *testing.T, s *Sources) {
				unlabelled := old()
				unlabelled.Labels = nil
				s.put(reducedConfigMap(t, unlabelled))
			}, nil},
		"deleted": {"", func(t *testing.T, s *Sources) { s.delete(reducedConfigMap(t, old())) }, nil},
		"tombstone": {"an interrupted watch leaves a tombstone", func(t *testing.T, s *Sources) {
			s.delete(toolscache.DeletedFinalStateUnknown{Key: "kong/a", Obj: reducedConfigMap(t, old())})
		}, nil},
		"deleted in another namespace": {"the name is the same, the namespace is not", func(t *testing.T, s *Sources) {
			s.delete(reducedConfigMap(t, configmaps.Source("other", "a", "dao-test")))
		}, []string{"dao-test@ a"}},
		"other objects": {"objects of other types are ignored", func(_ *testing.T, s *Sources) {
			s.put(old())
			s.put(nil)
			s.delete(&corev1.Secret{})
			s.delete(toolscache.DeletedFinalStateUnknown{Key: "kong/a"})
		}, []string{"dao-test@ a"}},
	} {
		t.Run(name, func(t *testing.T) {
			sources := StaticSources(old())
			test.happen(t, sources)
			if diff := cmp.Diff(test.want, known(sources, "kong", "dao-test")); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
		})
	}
}

// fakeInformers is a cache with one informer.
type fakeInformers struct {
	cache.Informers
	informer toolscache.SharedIndexInformer
	err      error
}

func (f fakeInformers) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return f.informer, f.err
}

// TestSourcesFollowInformer checks NewSources with an informer that has the options of SourcesCache.
func TestSourcesFollowInformer(t *testing.T) {
	options, err := SourcesCache()
	if err != nil {
		t.Fatal(err)
	}
	if !options.Label.Matches(labels.Set{annotations.Plugin: "dao-test"}) ||
		options.Label.Matches(labels.Set{"app": "x"}) {
		t.Errorf("the cache selects %q", options.Label)
	}
	synctest.Test(t, func(t *testing.T) {
		cluster := fcache.NewFakeControllerSource()
		informer := toolscache.NewSharedIndexInformer(cluster, &corev1.ConfigMap{}, 0, toolscache.Indexers{})
		if err := informer.SetTransform(options.Transform); err != nil {
			t.Fatal(err)
		}
		sources, err := NewSources(t.Context(), fakeInformers{informer: informer})
		if err != nil {
			t.Fatal(err)
		}
		cluster.Add(configmaps.Source("kong", "a", "dao-test"))
		if sources.Synced() {
			t.Error("synced before the first list")
		}
		var running sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		running.Go(func() { informer.RunWithContext(ctx) })
		defer running.Wait()
		defer cluster.Shutdown()
		defer stop()
		check := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, known(sources, "kong", "dao-test")); diff != "" {
				t.Errorf("known (-want +got)\n%s", diff)
			}
		}
		check("dao-test@ a")
		if !sources.Synced() {
			t.Error("not synced after the first list")
		}
		for _, object := range informer.GetStore().List() {
			if _, ok := object.(*cachedSource); !ok {
				t.Errorf("the cache keeps a %T", object)
			}
		}
		cluster.Add(configmaps.Versioned(configmaps.Source("kong", "b", "dao-test"), "2"))
		check("dao-test@ a", "dao-test@2 b")
		cluster.Modify(configmaps.Versioned(configmaps.Source("kong", "a", "dao-test"), "3"))
		check("dao-test@2 b", "dao-test@3 a")
		cluster.Delete(configmaps.Source("kong", "a", "dao-test"))
		check("dao-test@2 b")
	})
}

func TestNewSourcesReportsMissingInformer(t *testing.T) {
	_, err := NewSources(t.Context(), fakeInformers{err: fmt.Errorf("no such kind")})
	if err == nil || !strings.Contains(err.Error(), "ConfigMaps labelled kongdao.io/plugin: no such kind") {
		t.Errorf("got error %v", err)
	}
}
