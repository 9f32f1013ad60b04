package clusterstate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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
	var got []string
	for _, pod := range c.index.CopyUsers("kong") {
		got = append(got, pod.Name)
	}
	if !slices.Equal(got, users) {
		t.Errorf("%s: the users are %q, want %q", step, got, users)
	}
	for _, name := range copied.Sources {
		if got := c.index.IsCopyUsed(types.NamespacedName{Namespace: "kong", Name: name}); got != (len(users) > 0) {
			t.Errorf("%s: copy %q is used: %v", step, name, got)
		}
	}
	want := 0
	if len(users) > 0 {
		want = len(copied.Sources)
	}
	if got := c.index.UsedCopies(); len(got) != want {
		t.Errorf("%s: the used copies are %v, want %d", step, got, want)
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
	check("a pod changes in a way that no plan uses")
	ready := databasePod("kong", "a", "one")
	ready.Migration.Ready = true
	index.put(ready)
	check("a pod becomes ready", kongOne, teamOne)
	recreated := databasePod("kong", "a", "one")
	recreated.UID, recreated.Migration.Ready = "2", true
	index.put(recreated)
	check("another pod has the name", kongOne, teamOne)
	gated := databasePod("kong", "gated", "one")
	gated.Migration.Gated = true
	index.put(gated)
	check("a pod with a gate does not run, so other namespaces do not wait for it", kongOne)
	index.put(databasePod("kong", "gated", "one"))
	check("the gate is removed", kongOne, teamOne)
	index.delete(gated)
	check("a pod that could run is deleted", kongOne, teamOne)
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

// TestOfDatabase checks that the index keeps the pods of a database sorted, in any order of the changes.
func TestOfDatabase(t *testing.T) {
	index := &InjectedPods{}
	for _, name := range []string{"team/b", "kong/c", "kong/a", "team/a", "kong/b", "kong/c"} {
		namespace, pod, _ := strings.Cut(name, "/")
		index.put(databasePod(namespace, pod, "one"))
	}
	index.delete(databasePod("kong", "b", "one"))
	read := index.OfDatabase("one")
	index.delete(databasePod("kong", "a", "one"))
	var got []string
	for _, pod := range read {
		got = append(got, pod.Key().String())
	}
	if want := []string{"kong/a", "kong/c", "team/a", "team/b"}; !slices.Equal(got, want) {
		t.Errorf("the pods are %q, want %q: a later change must not change what was read", got, want)
	}
	if got := index.OfDatabase("unknown"); len(got) > 0 {
		t.Errorf("an unknown database has %d pods", len(got))
	}
}

// TestPodEventCost proves that the cost of a pod event does not depend on the number of pods of its database. It
// compares the fastest of several rounds, because other programs use the machine too.
func TestPodEventCost(t *testing.T) {
	const events, rounds, maxRatio = 500, 20, 3
	cost := func(pods int) time.Duration {
		index := &InjectedPods{}
		for i := range pods {
			index.put(databasePod("kong", fmt.Sprintf("pod-%05d", i), "one"))
		}
		defer index.SubscribeToDatabases(func(DatabaseKey) {})()
		fastest := time.Hour
		for range rounds {
			start := time.Now()
			for i := range events {
				pod := databasePod("kong", fmt.Sprintf("pod-%05d", i%pods), "one")
				pod.Migration.Ready = i%2 == 0
				index.put(pod)
			}
			fastest = min(fastest, time.Since(start))
		}
		return fastest
	}
	small, large := cost(40), cost(4000)
	t.Logf("%v with 40 pods, %v with 4,000", small/events, large/events)
	if ratio := float64(large) / float64(small); ratio > maxRatio {
		t.Errorf("an event costs %.1f times as much with 4,000 pods as with 40, want at most %d", ratio, maxRatio)
	}
}
