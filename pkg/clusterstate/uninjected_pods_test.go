package clusterstate

import (
	"context"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// requestingPod returns the metadata of a pod that requests a plugin and has no injection record.
func requestingPod(namespace, name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(name), Labels: map[string]string{"app": "kong"},
		Annotations: map[string]string{annotations.Plugins: "dao-test"},
	}}
}

// TestReduceUninjectedPod proves which pods lack plugins.
func TestReduceUninjectedPod(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(*metav1.PartialObjectMetadata)
		want   bool
	}{
		"no record": {"the webhook was not called", func(*metav1.PartialObjectMetadata) {}, true},
		"malformed request": {"the webhook would have denied the pod",
			func(p *metav1.PartialObjectMetadata) { p.Annotations[annotations.Plugins] = "@" }, true},
		"no request": {"the pod needs no plugin",
			func(p *metav1.PartialObjectMetadata) { delete(p.Annotations, annotations.Plugins) }, false},
		"empty request": {"the pod needs no plugin",
			func(p *metav1.PartialObjectMetadata) { p.Annotations[annotations.Plugins] = " " }, false},
		"record": {"the webhook, or a person, injected the plugins",
			func(p *metav1.PartialObjectMetadata) { p.Annotations[annotations.InjectionRecord] = "{}" }, false},
		"shuts down": {"its controller replaces it",
			func(p *metav1.PartialObjectMetadata) { p.DeletionTimestamp = new(metav1.Now()) }, false},
		"not selected": {"the webhook is not for such pods",
			func(p *metav1.PartialObjectMetadata) { p.Labels["app"] = "other" }, false},
	} {
		pod := requestingPod("shop", "kong")
		test.change(pod)
		reduced, counts := reduceUninjectedPod(pod, labels.SelectorFromSet(labels.Set{"app": "kong"}))
		if counts != test.want {
			t.Errorf("%s: the pod counts: %v, want %v, because %s", name, counts, test.want, test.reason)
		}
		if reduced.Name != "kong" || reduced.Namespace != "shop" || reduced.UID != "kong" {
			t.Errorf("%s: the key is %s/%s %s", name, reduced.Namespace, reduced.Name, reduced.UID)
		}
	}
}

// fakePodMetadata is an API server with the metadata of pods.
type fakePodMetadata struct {
	client.WithWatch
	pods    []metav1.PartialObjectMetadata
	watched *watch.FakeWatcher
}

func (f *fakePodMetadata) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	page := list.(*metav1.PartialObjectMetadataList)
	page.Items, page.ResourceVersion = f.pods, "7"
	return nil
}

func (f *fakePodMetadata) Watch(
	ctx context.Context, list client.ObjectList, options ...client.ListOption,
) (watch.Interface, error) {
	return (&fakePods{watched: f.watched}).Watch(ctx, list, options...)
}

// TestUninjectedPods follows the pods of an API server. Each pod is reported when it starts or ceases to count.
func TestUninjectedPods(t *testing.T) {
	injected := requestingPod("shop", "injected")
	injected.Annotations[annotations.InjectionRecord] = "{}"
	server := &fakePodMetadata{watched: watch.NewFake(), pods: []metav1.PartialObjectMetadata{
		*requestingPod("shop", "a"), *injected,
	}}
	pods, reported := NewUninjectedPods(server, labels.Everything()), make(chan types.NamespacedName, 10)
	defer pods.Subscribe(func(key types.NamespacedName) { reported <- key })()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go pods.Run(ctx)
	check := func(step, wantReported string, want ...string) {
		t.Helper()
		select {
		case got := <-reported:
			if got.String() != wantReported {
				t.Errorf("%s: pod %q is reported, want %q", step, got, wantReported)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: pod %q is not reported", step, wantReported)
		}
		var got []string
		for _, key := range pods.Keys() {
			got = append(got, key.Name)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: the pods are %q, want %q", step, got, want)
		}
	}
	check("first list", "shop/a", "a")
	check("synced", "/", "a")
	server.watched.Add(injected)
	server.watched.Action(watch.Bookmark, &metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: "8"}})
	server.watched.Modify(requestingPod("shop", "a")) // no change that counts
	server.watched.Add(requestingPod("shop", "b"))
	check("a pod is added", "shop/b", "a", "b")
	again := requestingPod("shop", "a")
	again.UID = "another"
	server.watched.Modify(again)
	check("a pod is replaced", "shop/a", "a", "b")
	server.watched.Delete(again)
	check("a pod is deleted", "shop/a", "b")
	if _, counts := pods.Get(types.NamespacedName{Namespace: "shop", Name: "b"}); !counts {
		t.Error("pod b is not found")
	}
}

// TestReplaceFollowed proves that a new list of a namespace removes its old pods, and no others.
func TestReplaceFollowed(t *testing.T) {
	pods := NewUninjectedPods(nil, labels.Everything(), "shop", "team")
	reduced := func(namespace, name string) any {
		pod, _ := reduceUninjectedPod(requestingPod(namespace, name), labels.Everything())
		return pod
	}
	shop := &followerStore[*UninjectedPod]{follower: pods, namespace: "shop"}
	team := &followerStore[*UninjectedPod]{follower: pods, namespace: "team"}
	for _, err := range []error{
		shop.Replace([]any{reduced("shop", "a"), reduced("shop", "b")}, "7"),
		team.Replace([]any{reduced("team", "a")}, "7"),
		shop.Replace([]any{reduced("shop", "b")}, "8"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, key := range pods.Keys() {
		got = append(got, key.String())
	}
	if slices.Sort(got); !slices.Equal(got, []string{"shop/b", "team/a"}) {
		t.Errorf("the pods are %q", got)
	}
}
