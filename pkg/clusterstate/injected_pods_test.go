package clusterstate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// podOf returns a pod of namespace "kong" with an injection record. If it is gated, it has the library's gate.
func podOf(t *testing.T, name string, gated bool, releases ...mutate.ReleaseRecord) *corev1.Pod {
	t.Helper()
	record, err := json.Marshal(mutate.InjectionRecord{Releases: releases})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name,
			Annotations: map[string]string{annotations.InjectionRecord: string(record)}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
	}
	if gated {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
	}
	return pod
}

// reducedPod returns what the cache keeps of a pod. An informer may call the transform twice.
func reducedPod(t *testing.T, pod *corev1.Pod) *InjectedPod {
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
	copied = mutate.ReleaseRecord{Plugin: "dao-test", Version: "1.1.0",
		Sources: []string{"kongdao-copy-a", "kongdao-copy-a-2"}, Library: "plugins"}
	own = mutate.ReleaseRecord{Plugin: "own", Sources: []string{"own-1"}}
)

func TestSourceNamespace(t *testing.T) {
	pod := reducedPod(t, podOf(t, "a", false, copied, own))
	for plugin, want := range map[string]string{"dao-test": "plugins", "own": "kong", "unknown": "kong"} {
		if got := pod.SourceNamespace(plugin); got != want {
			t.Errorf("plugin %q comes from namespace %q, want %q", plugin, got, want)
		}
	}
	malformed := podOf(t, "b", false, copied)
	malformed.Annotations[annotations.InjectionRecord] = `{"releases":[{"sources":"all"}]}`
	if pod := reducedPod(t, malformed); len(pod.Copies) > 0 || pod.SourceNamespace("dao-test") != "kong" {
		t.Errorf("a malformed injection record gives %+v", pod)
	}
}

// copyUsersCheck checks which pods the index reports as users of the copies.
type copyUsersCheck struct {
	index   *InjectedPods
	waiting []string
}

func (c *copyUsersCheck) subscriber(key types.NamespacedName) {
	c.waiting = append(c.waiting, key.Name)
}

// expect checks the users of each copy, the number of pods that wait, and the pods reported since the last check.
func (c *copyUsersCheck) expect(t *testing.T, step string, users []string, waiting int, reported ...string) {
	t.Helper()
	all := c.index.CopyUsers()
	for _, name := range copied.Sources {
		var got []string
		for _, pod := range all[types.NamespacedName{Namespace: "kong", Name: name}] {
			got = append(got, pod.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, users) {
			t.Errorf("%s: copy %q has the users %q, want %q", step, name, got, users)
		}
	}
	if len(users) == 0 && len(all) > 0 {
		t.Errorf("%s: got users %v, want none", step, all)
	}
	if got := c.index.CountAwaitingCopies(); got != waiting {
		t.Errorf("%s: %d pods wait, want %d", step, got, waiting)
	}
	if slices.Sort(c.waiting); !slices.Equal(c.waiting, reported) {
		t.Errorf("%s: the subscriber got %q, want %q", step, c.waiting, reported)
	}
	c.waiting = nil
}

// TestCopyUsers follows the users of copies while pods are added, change, end and are deleted.
func TestCopyUsers(t *testing.T) {
	index := &InjectedPods{}
	check := &copyUsersCheck{index: index}
	put := func(name string, gated bool, releases ...mutate.ReleaseRecord) {
		index.put(reducedPod(t, podOf(t, name, gated, releases...)))
	}
	put("a", true, copied)
	put("without", true, own)
	check.expect(t, "no subscriber yet", []string{"a"}, 1)
	cancel := index.SubscribeToWaitingPods(check.subscriber)
	check.expect(t, "initial state", []string{"a"}, 1, "a")
	put("b", true, copied, own)
	put("c", false, copied)
	check.expect(t, "one more waits, one does not", []string{"a", "b", "c"}, 2, "b")
	put("a", false, copied)
	check.expect(t, "one stops waiting", []string{"a", "b", "c"}, 1)
	ended := podOf(t, "b", true, copied)
	ended.Status.Phase = corev1.PodFailed
	index.put(reducedPod(t, ended))
	check.expect(t, "one ends", []string{"a", "c"}, 0)
	put("c", false, own)
	check.expect(t, "one mounts other sources", []string{"a"}, 0)
	index.delete(reducedPod(t, podOf(t, "a", false, copied)))
	check.expect(t, "one is deleted", nil, 0)
	cancel()
	put("a", true, copied)
	check.expect(t, "canceled", []string{"a"}, 1)
}

// databasePod returns a pod as the cache keeps it, with a requirement for a database.
func databasePod(namespace, name, database string) *InjectedPod {
	pod := &InjectedPod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, migrates: true}
	pod.Migration.Requirement.Database.Key = database
	return pod
}

// TestSubscribeToDatabases checks the reported keys, with two subscribers. One subscriber reads the index, which would
// block if a lock were held.
func TestSubscribeToDatabases(t *testing.T) {
	index := &InjectedPods{}
	index.put(databasePod("kong", "a", "one"))
	index.put(databasePod("team", "b", "one"))
	var first, second []DatabaseKey
	cancelFirst := index.SubscribeToDatabases(func(key DatabaseKey) {
		index.OfDatabase(key.Database)
		first = append(first, key)
	})
	cancelSecond := index.SubscribeToDatabases(func(key DatabaseKey) { second = append(second, key) })
	check := func(step string, want ...DatabaseKey) {
		t.Helper()
		for _, got := range [][]DatabaseKey{first, second} {
			slices.SortFunc(got, func(a, b DatabaseKey) int {
				return strings.Compare(a.Database+" "+a.Namespace, b.Database+" "+b.Namespace)
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", step, got, want)
			}
		}
		first, second = nil, nil
	}
	kongOne, teamOne, kongTwo := DatabaseKey{"kong", "one"}, DatabaseKey{"team", "one"}, DatabaseKey{"kong", "two"}
	check("initial state", kongOne, teamOne)
	index.put(databasePod("kong", "a", "one"))
	check("a pod changes", kongOne, teamOne)
	index.put(databasePod("kong", "a", "two"))
	check("a pod changes its database", kongOne, teamOne, kongTwo)
	ended := databasePod("kong", "a", "two")
	ended.migrates = false
	index.put(ended)
	check("a pod ends", kongTwo)
	index.delete(toolscache.DeletedFinalStateUnknown{Obj: databasePod("team", "b", "one")})
	check("a pod is deleted", teamOne)
	index.delete(databasePod("team", "b", "one"))
	check("a pod is deleted again")
	cancelFirst()
	cancelSecond()
	index.put(databasePod("kong", "a", "one"))
	check("canceled")
}
