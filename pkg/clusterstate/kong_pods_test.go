package clusterstate

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// countedPod returns a pod that runs Kong, without an injection record.
func countedPod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": "kong"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "registry/kong:3.9"}}},
	}
}

// TestReduceKongPod proves which pods count, and what is kept of them.
func TestReduceKongPod(t *testing.T) {
	now := metav1.Now()
	job := []metav1.OwnerReference{{Kind: "Job", Name: "up", Controller: new(true)}}
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		want   bool
	}{
		"runs Kong":                {func(*corev1.Pod) {}, true},
		"has ended":                {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, false},
		"shuts down":               {func(p *corev1.Pod) { p.DeletionTimestamp = &now }, false},
		"another image":            {func(p *corev1.Pod) { p.Spec.Containers[0].Image = "nginx" }, false},
		"the name is not the path": {func(p *corev1.Pod) { p.Spec.Containers[0].Image = "kong/deck" }, false},
		"settings of Kong": {func(p *corev1.Pod) {
			p.Spec.Containers[0] = corev1.Container{Name: "proxy", Image: "gateway", Env: []corev1.EnvVar{
				{Name: "KONG_DATABASE", Value: "off"}, {Name: "KONG_PROXY_LISTEN", Value: "off"},
			}}
		}, true},
		"a Job of kongdao": {func(p *corev1.Pod) {
			p.OwnerReferences, p.Labels = job, map[string]string{annotations.Step: "up"}
		}, false},
		"another Job": {func(p *corev1.Pod) { p.OwnerReferences = job }, true},
	} {
		pod := countedPod("shop", "kong")
		test.change(pod)
		if _, counts := reduceKongPod(pod); counts != test.want {
			t.Errorf("%s: the pod counts: %v, want %v", name, counts, test.want)
		}
	}
	pod := countedPod("shop", "kong")
	pod.Annotations = map[string]string{
		annotations.Inject:          "false",
		annotations.InjectionRecord: `{"releases":[{"plugin":"a","version":"1","digest":"d","sources":["s"],"library":"l"}]}`,
	}
	reduced, _ := reduceKongPod(pod)
	if !reduced.OptedOut || reduced.Workload.String() != "shop/Pod/kong" || len(reduced.Releases) != 1 ||
		reduced.Releases[0].Plugin != "a" || reduced.Releases[0].Version != "1" || reduced.Releases[0].Library != "l" ||
		reduced.Releases[0].Sources != nil || !maps.Equal(reduced.Labels, pod.Labels) {
		t.Errorf("of the pod remains %+v", reduced)
	}
}

// fakePods is an API server with pods. It does not stream lists (fact P8).
type fakePods struct {
	client.WithWatch
	pages   [][]corev1.Pod
	limits  []int64
	watched *watch.FakeWatcher
}

func (f *fakePods) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var read client.ListOptions
	read.ApplyOptions(options)
	raw := read.AsListOptions()
	f.limits = append(f.limits, raw.Limit)
	at := 0
	if raw.Continue != "" {
		if _, err := fmt.Sscan(raw.Continue, &at); err != nil {
			return err
		}
	}
	page := list.(*corev1.PodList)
	page.Items, page.ResourceVersion = f.pages[at], "7"
	if at+1 < len(f.pages) {
		page.Continue = fmt.Sprint(at + 1)
	}
	return nil
}

func (f *fakePods) Watch(
	_ context.Context, _ client.ObjectList, options ...client.ListOption,
) (watch.Interface, error) {
	var read client.ListOptions
	read.ApplyOptions(options)
	if read.Raw.SendInitialEvents != nil {
		return nil, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Pod").GroupKind(), "", nil)
	}
	return f.watched, nil
}

// TestKongPods follows the pods of an API server: the first list, page by page, and then the changes. Only changes that
// a count can see are reported.
func TestKongPods(t *testing.T) {
	other := *countedPod("shop", "other")
	other.Spec.Containers[0].Image = "nginx"
	server := &fakePods{watched: watch.NewFake(), pages: [][]corev1.Pod{
		{*countedPod("shop", "a"), other}, {*countedPod("shop", "b"), *countedPod("team", "c")},
	}}
	pods, reported := NewKongPods(server), make(chan types.NamespacedName, 10)
	defer pods.Subscribe(func(key types.NamespacedName) { reported <- key })()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go pods.Run(ctx)
	check := func(step string, want []string, wantReported ...string) {
		t.Helper()
		for _, name := range wantReported {
			select {
			case got := <-reported:
				if got.String() != name {
					t.Errorf("%s: pod %q is reported, want %q", step, got, name)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: pod %q is not reported", step, name)
			}
		}
		var got []string
		for _, namespace := range []string{"shop", "team"} {
			for _, pod := range pods.Of(namespace) {
				got = append(got, pod.Namespace+"/"+pod.Name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: the pods are %q, want %q", step, got, want)
		}
	}
	check("first list", []string{"shop/a", "shop/b", "team/c"}, "shop/a", "shop/b", "team/c", "/")
	if !pods.Synced() || !slices.Equal(server.limits, []int64{readerPageSize, readerPageSize}) {
		t.Errorf("synced: %v; the limits of the lists are %d", pods.Synced(), server.limits)
	}
	ready := countedPod("shop", "a")
	ready.Status.Phase = corev1.PodRunning
	server.watched.Modify(ready) // changes nothing that counts
	server.watched.Add(&other)   // does not run Kong
	server.watched.Action(watch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "8"}})
	server.watched.Add(countedPod("shop", "d"))
	check("a pod is added", []string{"shop/a", "shop/b", "shop/d", "team/c"}, "shop/d")
	ending := countedPod("shop", "a")
	ending.DeletionTimestamp = new(metav1.Now())
	server.watched.Modify(ending)
	check("a pod shuts down", []string{"shop/b", "shop/d", "team/c"}, "shop/a")
	server.watched.Delete(countedPod("team", "c"))
	check("a pod is deleted", []string{"shop/b", "shop/d"}, "team/c")
	labelled := countedPod("shop", "b")
	labelled.Labels["app"] = "other"
	server.watched.Modify(labelled)
	check("a label changes", []string{"shop/b", "shop/d"}, "shop/b")
}

// TestReplaceKongPods proves that a new list removes the pods that were deleted while no watch ran.
func TestReplaceKongPods(t *testing.T) {
	a, _ := reduceKongPod(countedPod("shop", "a"))
	b, _ := reduceKongPod(countedPod("shop", "b"))
	pods := NewKongPods(nil)
	pods.put(a)
	pods.put(b)
	var reported []string
	defer pods.Subscribe(func(key types.NamespacedName) { reported = append(reported, key.Name) })()
	if err := (&followerStore[*KongPod]{follower: pods, hasRead: true}).Replace([]any{b}, "9"); err != nil {
		t.Fatal(err)
	}
	if got := pods.Of("shop"); len(got) != 1 || got[0].Name != "b" || !slices.Equal(reported, []string{"a"}) {
		t.Errorf("%d pods remain, and %q are reported", len(got), reported)
	}
}

// TestKongPodsNeedLittleMemory keeps 5,000 Kong pods with 10 KiB each. A cache of whole pods
// can exhaust the memory (fact W6).
func TestKongPodsNeedLittleMemory(t *testing.T) {
	const count, allowed = 5000, 12 << 20
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // the first one only ran the finalizers
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	pods := NewKongPods(nil)
	before := heap()
	for i := range count {
		pod := countedPod(fmt.Sprintf("team-%d", i%200), fmt.Sprintf("kong-%d", i))
		pod.Annotations = map[string]string{
			annotations.InjectionRecord: `{"releases":[{"plugin":"a","version":"1","sources":["s"],"library":"l"}]}`,
		}
		for label := range 8 {
			pod.Labels[fmt.Sprintf("app.kubernetes.io/label-%d", label)] = fmt.Sprintf("value-%d", i)
		}
		pod.Spec.Containers[0].Args = []string{strings.Repeat("x", 10<<10)}
		text, err := pod.Marshal() // as from the API server: decoded strings share no memory with other objects
		if err != nil {
			t.Fatal(err)
		}
		received := &corev1.Pod{}
		if err := received.Unmarshal(text); err != nil {
			t.Fatal(err)
		}
		reduced, counts := reduceKongPod(received)
		if !counts {
			t.Fatal("the pod does not count")
		}
		pods.put(reduced)
	}
	after := heap()
	t.Logf("%d pods: %.1f MiB of heap", count, float64(after-before)/(1<<20))
	if after > before+allowed {
		t.Errorf("more than %d bytes remain", allowed)
	}
	runtime.KeepAlive(pods)
}
