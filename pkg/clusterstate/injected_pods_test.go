package clusterstate

import (
	"encoding/json"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// podOf is a pod of namespace "kong" with a mark, and with the library's gate where
// it is gated.
func podOf(t *testing.T, name string, gated bool, releases ...mutate.ReleaseRecord) *corev1.Pod {
	t.Helper()
	mark, err := json.Marshal(mutate.InjectionRecord{Releases: releases})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name, Annotations: map[string]string{annotations.InjectionRecord: string(mark)}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
	}
	if gated {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
	}
	return pod
}

// reduced is what the cache keeps of a pod, whether it has been reduced before or
// not.
func reduced(t *testing.T, pod *corev1.Pod) *InjectedPod {
	t.Helper()
	once, err := reducePod(pod)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := reducePod(once)
	if err != nil {
		t.Fatal(err)
	}
	return twice.(*InjectedPod)
}

var (
	copied = mutate.ReleaseRecord{Plugin: "dao-test", Version: "1.1.0", Sources: []string{"kongdao-copy-a", "kongdao-copy-a-2"}, Library: "plugins"}
	own    = mutate.ReleaseRecord{Plugin: "own", Sources: []string{"own-1"}}
)

// TestFrom proves where each of a pod's plugins is said to come from; what a mark
// that is none says is nothing.
func TestFrom(t *testing.T) {
	pod := reduced(t, podOf(t, "a", false, copied, own))
	for plugin, want := range map[string]string{"dao-test": "plugins", "own": "kong", "unknown": "kong"} {
		if got := pod.From(plugin); got != want {
			t.Errorf("%s comes from %q, want %q", plugin, got, want)
		}
	}
	forged := podOf(t, "b", false, copied)
	forged.Annotations[annotations.InjectionRecord] = `{"releases":[{"sources":"all"}]}`
	if pod := reduced(t, forged); len(pod.Copies) > 0 || pod.From("dao-test") != "kong" {
		t.Errorf("a mark that is none says %+v", pod)
	}
}

// TestCopyUsers proves which pods are known to mount which copies, and to wait for
// them, as they come, change, end and go.
func TestCopyUsers(t *testing.T) {
	index := &InjectedPods{
		pods: map[types.NamespacedName]*InjectedPod{}, byDatabase: map[string]map[types.NamespacedName]*InjectedPod{}, users: map[types.NamespacedName]*InjectedPod{},
	}
	var looked []string
	look := func(key types.NamespacedName) { looked = append(looked, key.Name) }
	want := func(when string, users []string, waiting int, lookedAt ...string) {
		t.Helper()
		all := index.CopyUsers()
		for _, name := range copied.Sources {
			var got []string
			for _, pod := range all[types.NamespacedName{Namespace: "kong", Name: name}] {
				got = append(got, pod.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, users) {
				t.Errorf("%s: %s is mounted by %q, want %q", when, name, got, users)
			}
		}
		if len(users) == 0 && len(all) > 0 {
			t.Errorf("%s: there are users %v", when, all)
		}
		if got := index.AwaitingCopies(); got != waiting {
			t.Errorf("%s: %d wait, want %d", when, got, waiting)
		}
		if slices.Sort(looked); !slices.Equal(looked, lookedAt) {
			t.Errorf("%s: looked at %q, want %q", when, looked, lookedAt)
		}
		looked = nil
	}
	index.put(reduced(t, podOf(t, "a", true, copied)))
	index.put(reduced(t, podOf(t, "without", true, own)))
	want("nobody looks yet", []string{"a"}, 1)
	index.FollowCopies(look)
	want("those that wait already", []string{"a"}, 1, "a")
	index.put(reduced(t, podOf(t, "b", true, copied, own)))
	index.put(reduced(t, podOf(t, "c", false, copied)))
	want("one more waits, and one does not", []string{"a", "b", "c"}, 2, "b")
	index.put(reduced(t, podOf(t, "a", false, copied)))
	want("one is let go", []string{"a", "b", "c"}, 1)
	ended := podOf(t, "b", true, copied)
	ended.Status.Phase = corev1.PodFailed
	index.put(reduced(t, ended))
	want("one has ended", []string{"a", "c"}, 0)
	index.put(reduced(t, podOf(t, "c", false, own)))
	want("one mounts others", []string{"a"}, 0)
	index.use(types.NamespacedName{Namespace: "kong", Name: "a"}, nil)
	want("one is gone", nil, 0)
}
