package librarycontroller

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/scope"
)

// namespaceTest is a controller for namespace "kong" and a library "plugins" with the plugin "quiet".
type namespaceTest struct {
	*testing.T
	server     *fakeServer
	controller *Controller
	events     recordedEvents
	now        time.Time
	release    *catalog.Release
}

// newNamespaceTest returns a controller that caches pods and copies.
func newNamespaceTest(t *testing.T, pods []*corev1.Pod, copies ...*corev1.ConfigMap) *namespaceTest {
	t.Helper()
	library := librarySource()
	test := &namespaceTest{T: t, now: time.Unix(1000, 0), release: libraryRelease()}
	test.server = &fakeServer{
		configMaps: map[string]*corev1.ConfigMap{"plugins/quiet": library}, requests: map[string]int{},
	}
	index, err := clusterstate.StaticInjectedPods(pods...)
	if err != nil {
		t.Fatal(err)
	}
	test.controller = &Controller{
		Client: test.server, Live: test.server, Pods: index, Log: logr.Discard(), Retention: retention,
		Sources:  clusterstate.StaticSources(append(copies, library)...),
		Policies: selecting{{Name: "gives", Library: "plugins", Plugins: []annotations.PluginRef{{Name: "quiet"}}}},
		Events:   events.NewRecorder(&test.events), Now: func() time.Time { return test.now },
	}
	return test
}

func librarySource() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "plugins", Name: "quiet", Labels: map[string]string{annotations.Plugin: "quiet"},
		},
		Data: map[string]string{"handler.lua": "return {}", "schema.lua": "return { fields = {} }"},
	}
}

func libraryRelease() *catalog.Release {
	return clusterstate.StaticSources(librarySource()).Releases("plugins", "quiet")[0].CopiedFrom("plugins")
}

// usersOf returns pods of namespace "kong" that use the release. The first ones wait for it.
func usersOf(t *testing.T, digest string, waiting, running int) []*corev1.Pod {
	t.Helper()
	release := libraryRelease()
	record, err := json.Marshal(mutate.InjectionRecord{Releases: []mutate.ReleaseRecord{{
		Plugin: "quiet", Digest: digest, Sources: []string{release.Copies[0].Name}, Library: "plugins",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	pods := make([]*corev1.Pod, waiting+running)
	for i := range pods {
		pods[i] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "kong", Name: fmt.Sprintf("kong-%d", i), UID: types.UID(fmt.Sprint(i)),
			CreationTimestamp: metav1.Unix(995, 0),
			Annotations:       map[string]string{annotations.InjectionRecord: string(record)},
			OwnerReferences:   []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "kong", UID: "rs", Controller: new(true)}},
		}}
		if i < waiting {
			pods[i].Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
		}
	}
	return pods
}

// reconcile reconciles the namespace and checks the requests.
func (n *namespaceTest) reconcile(want map[string]int) (reconcile.Result, error) {
	n.Helper()
	n.server.requests = map[string]int{}
	result, err := n.controller.reconcileNamespace(n.Context(), "kong")
	if !maps.Equal(n.server.requests, want) {
		n.Errorf("the requests are %v, want %v", n.server.requests, want)
	}
	return result, err
}

const (
	getConfigMap    = "get *v1.ConfigMap"
	createConfigMap = "create *v1.ConfigMap"
	deleteConfigMap = "delete *v1.ConfigMap"
	patchPod        = "patch *v1.Pod"
)

// TestPodsOfNamespaceShareTheirCopies proves that all waiting pods of a namespace need two reads and one creation
// together, and one patch each. While the cache still shows the gates, the pods need no more patches.
func TestPodsOfNamespaceShareTheirCopies(t *testing.T) {
	test := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 500, 100))
	// The reads are the copy, which does not exist, and the source in the library.
	if result, err := test.reconcile(map[string]int{getConfigMap: 2, createConfigMap: 1, patchPod: 500}); err != nil ||
		result.RequeueAfter != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := test.reconcile(map[string]int{getConfigMap: 1}); err != nil { // the copy is not in the cache yet
		t.Error(err)
	}
	test.now = test.now.Add(10 * time.Second) // the request had no effect
	if _, err := test.reconcile(map[string]int{getConfigMap: 1, patchPod: 500}); err != nil {
		t.Error(err)
	}
}

// TestCachedCopyIsNotRead proves that pods whose copy is in the cache need one patch each and no read.
func TestCachedCopyIsNotRead(t *testing.T) {
	first := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 1, 0))
	if _, err := first.reconcile(map[string]int{getConfigMap: 2, createConfigMap: 1, patchPod: 1}); err != nil {
		t.Fatal(err)
	}
	copied := first.server.configMaps["kong/"+first.release.Copies[0].Name]
	test := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 500, 500), copied)
	if _, err := test.reconcile(map[string]int{patchPod: 500}); err != nil {
		t.Error(err)
	}
}

// TestOtherReplicaCreatesTheCopy proves that a copy which another replica creates at the same time causes neither
// an error nor an Event. A ConfigMap with other content is replaced.
func TestOtherReplicaCreatesTheCopy(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*corev1.ConfigMap)
		want   map[string]int
	}{
		"the same copy": {func(*corev1.ConfigMap) {}, map[string]int{getConfigMap: 3, createConfigMap: 1, patchPod: 2}},
		"other content": {
			func(other *corev1.ConfigMap) { other.Data["more.lua"] = "evil" },
			map[string]int{getConfigMap: 4, createConfigMap: 2, deleteConfigMap: 1, patchPod: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pods := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 2, 0))
			pods.server.beforeCreate = func(created *corev1.ConfigMap) {
				other := created.DeepCopy()
				test.change(other)
				pods.server.configMaps["kong/"+created.Name] = other
				pods.server.beforeCreate = nil
			}
			if _, err := pods.reconcile(test.want); err != nil {
				t.Error(err)
			}
			if len(pods.events) > 0 {
				t.Errorf("the Events are %q, want none", pods.events)
			}
		})
	}
}

// TestDeletedCopyIsRestored proves that a copy which running pods mount is created again.
func TestDeletedCopyIsRestored(t *testing.T) {
	test := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 0, 100))
	if _, err := test.reconcile(map[string]int{getConfigMap: 2, createConfigMap: 1}); err != nil {
		t.Error(err)
	}
}

// TestMissingReleaseIsReportedOnce proves that a workload with many waiting pods gets one Event, which names what is
// missing, and when the controller tries again.
func TestMissingReleaseIsReportedOnce(t *testing.T) {
	test := newNamespaceTest(t, usersOf(t, "sha256:gone", 500, 0))
	result, err := test.reconcile(map[string]int{})
	if err != nil || result.RequeueAfter != 5*time.Second {
		t.Errorf("the controller tries again after %v, want after as long as the pods have waited, 5s: %v",
			result.RequeueAfter, err)
	}
	want := `ReplicaSet/kong: plugin "quiet": library "plugins" no longer has the release sha256:gone`
	if len(test.events) != 1 || !strings.HasPrefix(test.events[0], want) {
		t.Errorf("the Events are %q, want one that begins with %q", test.events, want)
	}
	test.now, test.events = time.Unix(996, 0), nil
	if result, err = test.reconcile(map[string]int{}); err != nil || result.RequeueAfter != time.Second ||
		len(test.events) > 0 {
		t.Errorf("after one second: %+v, %q, %v", result, test.events, err)
	}
}

// TestOnePodCannotBePatched proves that a pod that cannot be patched does not stop the others, and is tried again.
func TestOnePodCannotBePatched(t *testing.T) {
	test := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 20, 0))
	test.server.patchError = errors.New("denied by another webhook")
	_, err := test.reconcile(map[string]int{getConfigMap: 2, createConfigMap: 1, patchPod: 20})
	if err == nil || !strings.Contains(err.Error(), `pod "kong/kong-0": denied by another webhook`) {
		t.Errorf("the error is %v", err)
	}
	if _, err = test.reconcile(map[string]int{getConfigMap: 1, patchPod: 1}); err == nil {
		t.Error("no error for the pod that cannot be patched")
	}
}

// TestExcludedNamespace proves that a namespace that the installation excludes gets no copies, and that an
// Event says why its pods wait.
func TestExcludedNamespace(t *testing.T) {
	test := newNamespaceTest(t, usersOf(t, libraryRelease().Digest, 2, 1))
	own, err := scope.New("kong", "")
	if err != nil {
		t.Fatal(err)
	}
	test.controller.Exclusions = clusterstate.Exclusions{Scope: own}
	if _, err := test.reconcile(map[string]int{}); err != nil {
		t.Error(err)
	}
	if len(test.events) != 1 || !strings.Contains(test.events[0], `kongdao does not work in namespace "kong"`) {
		t.Errorf("the Events are %q, want one that says that the namespace is excluded", test.events)
	}
}
