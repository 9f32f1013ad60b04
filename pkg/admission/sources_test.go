package admission

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
)

// sourceOf is a ConfigMap with a whole plugin without entities.
func sourceOf(namespace, name, plugin string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{annotations.Plugin: plugin}},
		Immutable:  new(true),
		Data:       map[string]string{"handler.lua": "return {}", "schema.lua": "return {}"},
	}
}

func versioned(configMap *corev1.ConfigMap, version string) *corev1.ConfigMap {
	configMap.Labels[annotations.PluginVersion] = version
	return configMap
}

// known lists the sources that the cache has of plugin "dao-test", as
// namespace/plugin@version(sources).
func known(sources *Sources, namespace, plugin string) []string {
	var found []string
	for _, release := range sources.index.Releases(namespace, plugin) {
		text := release.Plugin + "@" + release.Version
		for _, source := range release.Sources {
			text += " " + source.Name
		}
		found = append(found, text)
	}
	return found
}

// TestReduce proves what the cache keeps of what it is given (W6).
func TestReduce(t *testing.T) {
	const content = "-- nobody needs this"
	configMap := sourceOf("kong", "dao-test", "dao-test")
	configMap.UID, configMap.ResourceVersion = "1-2-3", "77"
	configMap.Annotations = map[string]string{"other": content}
	configMap.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: content}}
	configMap.Data["handler.lua"] = content
	configMap.BinaryData = map[string][]byte{"api.lua": []byte(content)}
	kept := reduceOf(t, configMap)
	if text := fmt.Sprintf("%+v", kept); strings.Contains(text, content) {
		t.Errorf("a content, an annotation of somebody else's or the managed fields are kept: %s", text)
	}
	if object := kept.(metav1.Object); object.GetNamespace() != "kong" || object.GetName() != "dao-test" ||
		object.GetUID() != "1-2-3" || object.GetResourceVersion() != "77" {
		t.Errorf("the cache cannot tell objects and their versions apart: %+v", kept)
	}
	for name, object := range map[string]any{
		"its own work, which an informer may show it again": kept,
		"an object of another kind":                         &corev1.Secret{},
		"a tombstone":                                       toolscache.DeletedFinalStateUnknown{Key: "kong/dao-test", Obj: kept},
		"nothing":                                           nil,
	} {
		again, err := reduce(object)
		if err != nil || !reflect.DeepEqual(again, object) {
			t.Errorf("%s is not left as it is: %+v, %v", name, again, err)
		}
	}
}

// TestFollow proves what each event of the cache makes of what is known.
func TestFollow(t *testing.T) {
	old := func() *corev1.ConfigMap { return sourceOf("kong", "a", "dao-test") }
	for name, test := range map[string]struct {
		reason string
		happen func(*testing.T, *Sources)
		want   []string
	}{
		"none": {"one source stands at the beginning of each case", func(*testing.T, *Sources) {}, []string{"dao-test@ a"}},
		"added to": {"sources of one version make one release", func(t *testing.T, s *Sources) {
			s.put(reduceOf(t, sourceOf("kong", "b", "dao-test")))
		}, []string{"dao-test@ a b"}},
		"updated": {"a ConfigMap's new version replaces its old one", func(t *testing.T, s *Sources) {
			s.put(reduceOf(t, versioned(old(), "2")))
		}, []string{"dao-test@2 a"}},
		"relabelled": {"a ConfigMap that is another plugin's now is no longer this one's", func(t *testing.T, s *Sources) {
			s.put(reduceOf(t, sourceOf("kong", "a", "other")))
		}, nil},
		"label removed": {"without the label it is no source, whether or not the watch calls that a deletion", func(t *testing.T, s *Sources) {
			unlabelled := old()
			unlabelled.Labels = nil
			s.put(reduceOf(t, unlabelled))
		}, nil},
		"deleted": {"", func(t *testing.T, s *Sources) { s.delete(reduceOf(t, old())) }, nil},
		"deleted unseen": {"a watch that was interrupted yields a tombstone", func(t *testing.T, s *Sources) {
			s.delete(toolscache.DeletedFinalStateUnknown{Key: "kong/a", Obj: reduceOf(t, old())})
		}, nil},
		"deleted elsewhere": {"a namespace's sources are its own", func(t *testing.T, s *Sources) {
			s.delete(reduceOf(t, sourceOf("other", "a", "dao-test")))
		}, []string{"dao-test@ a"}},
		"strangers": {"what is no source is passed over", func(_ *testing.T, s *Sources) {
			s.put(old())
			s.put(nil)
			s.delete(&corev1.Secret{})
			s.delete(toolscache.DeletedFinalStateUnknown{Key: "kong/a"})
		}, []string{"dao-test@ a"}},
	} {
		t.Run(name, func(t *testing.T) {
			sources := cached(t, old())
			test.happen(t, sources)
			if diff := cmp.Diff(test.want, known(sources, "kong", "dao-test")); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
		})
	}
}

// followed is a cache with one informer.
type followed struct {
	cache.Informers
	informer toolscache.SharedIndexInformer
	err      error
}

func (f followed) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return f.informer, f.err
}

// TestInformer proves that Sources follow an informer with CacheOptions: what
// it keeps has no contents, what it sees is known, and Synced says so.
func TestInformer(t *testing.T) {
	options, err := CacheOptions()
	if err != nil {
		t.Fatal(err)
	}
	var chosen cache.ByObject
	for object, by := range options.ByObject {
		if _, ok := object.(*corev1.ConfigMap); !ok || len(options.ByObject) != 1 {
			t.Fatalf("something else than ConfigMaps is cached: %T", object)
		}
		chosen = by
	}
	if !chosen.Label.Matches(labels.Set{annotations.Plugin: "dao-test"}) || chosen.Label.Matches(labels.Set{"app": "x"}) {
		t.Errorf("the cache selects %q", chosen.Label)
	}
	synctest.Test(t, func(t *testing.T) {
		cluster := fcache.NewFakeControllerSource()
		informer := toolscache.NewSharedIndexInformer(cluster, &corev1.ConfigMap{}, 0, toolscache.Indexers{})
		if err := informer.SetTransform(chosen.Transform); err != nil {
			t.Fatal(err)
		}
		sources, err := NewSources(t.Context(), followed{informer: informer}, nil)
		if err != nil {
			t.Fatal(err)
		}
		cluster.Add(sourceOf("kong", "a", "dao-test"))
		if sources.Synced() {
			t.Error("synced before anything was read")
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
			t.Error("not synced after everything was read")
		}
		for _, object := range informer.GetStore().List() {
			if _, ok := object.(*reduced); !ok {
				t.Errorf("the cache keeps a %T", object)
			}
		}
		cluster.Add(versioned(sourceOf("kong", "b", "dao-test"), "2"))
		check("dao-test@ a", "dao-test@2 b")
		cluster.Modify(versioned(sourceOf("kong", "a", "dao-test"), "3"))
		check("dao-test@2 b", "dao-test@3 a")
		cluster.Delete(sourceOf("kong", "a", "dao-test"))
		check("dao-test@2 b")
	})
}

// TestNoInformer proves that a cache which cannot be had is said so.
func TestNoInformer(t *testing.T) {
	_, err := NewSources(t.Context(), followed{err: fmt.Errorf("no such kind")}, nil)
	if err == nil || !strings.Contains(err.Error(), "ConfigMaps labelled kongdao.io/plugin: no such kind") {
		t.Errorf("got error %v", err)
	}
}
