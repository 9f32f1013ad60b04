package librarycontroller

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// fakeCluster is a client of a cluster with one namespace, some policies, and ConfigMaps that it records as deleted.
type fakeCluster struct {
	client.Client
	namespace string
	policies  []v1alpha1.PluginPolicy
	deleted   []string
}

func (f *fakeCluster) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if key.Name != f.namespace {
		return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
	}
	object.SetName(key.Name)
	return nil
}

func (f *fakeCluster) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.PluginPolicyList).Items = f.policies
	return nil
}

func (f *fakeCluster) Delete(_ context.Context, object client.Object, _ ...client.DeleteOption) error {
	f.deleted = append(f.deleted, object.GetNamespace()+"/"+object.GetName())
	return nil
}

// copyOf returns a ConfigMap that the cache takes for a copy.
func copyOf(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: map[string]string{annotations.Plugin: "", annotations.CopyOf: "quiet"},
	}}
}

// cleanupTest is a cleanup with a policy that gives the plugin quiet from the library "plugins".
type cleanupTest struct {
	*testing.T
	cluster    *fakeCluster
	controller *Controller
	now        time.Time
	// wanted is the name of the copy that the policy gives.
	wanted string
}

const retention = 10 * time.Second

// newCleanupTest returns a cleanup of copies. An empty name stands for the copy that the policy gives.
func newCleanupTest(t *testing.T, copies ...*corev1.ConfigMap) *cleanupTest {
	t.Helper()
	source := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "plugins", Name: "quiet", Labels: map[string]string{annotations.Plugin: "quiet"},
		},
		Data: map[string]string{"handler.lua": "return {}", "schema.lua": "return { fields = {} }"},
	}
	release := clusterstate.StaticSources(source).Releases("plugins", "quiet")[0]
	test := &cleanupTest{T: t, now: time.Unix(0, 0), wanted: release.CopiedFrom("plugins").Copies[0].Name}
	for _, copied := range copies {
		if copied.Name == "" {
			copied.Name = test.wanted
		}
	}
	test.cluster = &fakeCluster{namespace: "kong"}
	test.setPolicies(v1alpha1.Enforce)
	test.controller = &Controller{
		Client: test.cluster, Pods: &clusterstate.InjectedPods{}, Log: logr.Discard(), Retention: retention,
		Sources: clusterstate.StaticSources(append(copies, source)...), Now: func() time.Time { return test.now },
	}
	return test
}

// setPolicies replaces the policies by one for each mode.
func (c *cleanupTest) setPolicies(modes ...v1alpha1.PolicyMode) {
	c.cluster.policies = nil
	for _, mode := range modes {
		c.cluster.policies = append(c.cluster.policies, v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "gives"},
			Spec: v1alpha1.PluginPolicySpec{
				Mode: mode, Plugins: []v1alpha1.PolicyPlugin{{Name: "quiet"}}, Library: "plugins",
			},
		})
	}
}

// cleanUp runs the cleanup after some time, and checks what it deletes and when it runs again.
func (c *cleanupTest) cleanUp(after, wantDelay time.Duration, wantDeleted ...string) {
	c.Helper()
	c.now, c.cluster.deleted = c.now.Add(after), nil
	result, err := c.controller.cleanUp(c.Context(), allCopies{})
	if err != nil {
		c.Fatal(err)
	}
	slices.Sort(c.cluster.deleted)
	if result.RequeueAfter != wantDelay || !slices.Equal(c.cluster.deleted, wantDeleted) {
		c.Errorf("at %v: the cleanup deletes %q and runs again after %v, want %q and %v",
			c.now.Sub(time.Unix(0, 0)), c.cluster.deleted, result.RequeueAfter, wantDeleted, wantDelay)
	}
}

// TestUnneededCopiesAreDeleted proves that the cleanup deletes copies that no policy gives after the retention time,
// and keeps the one that the policy gives to the next pod.
func TestUnneededCopiesAreDeleted(t *testing.T) {
	test := newCleanupTest(t, copyOf("kong", ""), copyOf("kong", catalog.CopyPrefix+"old"), copyOf("gone", ""))
	test.cleanUp(0, retention)
	test.cleanUp(4*time.Second, retention-4*time.Second)
	test.cleanUp(retention-4*time.Second, resyncInterval, "gone/"+test.wanted, "kong/"+catalog.CopyPrefix+"old")
}

// TestNeedRestartsRetention proves that the retention time starts again if a policy gives a copy in between. An audited
// policy does not count.
func TestNeedRestartsRetention(t *testing.T) {
	test := newCleanupTest(t, copyOf("kong", ""))
	test.cleanUp(0, resyncInterval)
	test.setPolicies(v1alpha1.Audit)
	test.cleanUp(0, retention)
	test.setPolicies(v1alpha1.Enforce)
	test.cleanUp(retention-time.Millisecond, resyncInterval)
	test.setPolicies()
	test.cleanUp(time.Second, retention)
	test.cleanUp(retention-time.Millisecond, minCleanupDelay)
	test.cleanUp(time.Millisecond, resyncInterval, "kong/"+test.wanted)
}
