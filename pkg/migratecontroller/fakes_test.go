package migratecontroller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientevents "k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// fakeServer is an API server with the objects of one namespace. It counts the requests by verb and type.
type fakeServer struct {
	client.Client
	// beforeList is called before each list, without a lock.
	beforeList func()
	// unpatchable is the name of a pod whose patches are denied.
	unpatchable string

	mutex      sync.Mutex
	migrations []v1alpha1.PluginMigration
	jobs       []batchv1.Job
	pods       []corev1.Pod
	requests   map[string]int
}

func (f *fakeServer) count(verb string, object any) {
	if f.requests == nil {
		f.requests = map[string]int{}
	}
	f.requests[fmt.Sprintf("%s %T", verb, object)]++
}

func (f *fakeServer) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if f.beforeList != nil {
		f.beforeList()
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("list", list)
	switch list := list.(type) {
	case *v1alpha1.PluginMigrationList:
		list.Items = slices.Clone(f.migrations)
	case *batchv1.JobList:
		list.Items = slices.Clone(f.jobs)
	case *corev1.PodList:
		list.Items = slices.Clone(f.pods)
	}
	return nil
}

func (f *fakeServer) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("get", object)
	for i := range f.pods {
		if f.pods[i].Name == key.Name {
			f.pods[i].DeepCopyInto(object.(*corev1.Pod))
			return nil
		}
	}
	return fmt.Errorf("no pod %q", key)
}

func (f *fakeServer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("create", object)
	return nil
}

func (f *fakeServer) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("patch", object)
	if object.GetName() == f.unpatchable {
		return errors.New("denied")
	}
	return nil
}

func (f *fakeServer) Status() client.SubResourceWriter { return fakeStatus{server: f} }

// fakeStatus writes statuses to a fakeServer.
type fakeStatus struct {
	client.SubResourceWriter
	server *fakeServer
}

func (s fakeStatus) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	s.server.mutex.Lock()
	defer s.server.mutex.Unlock()
	s.server.count("update status of", object)
	for i := range s.server.migrations {
		if s.server.migrations[i].Name == object.GetName() {
			object.(*v1alpha1.PluginMigration).DeepCopyInto(&s.server.migrations[i])
		}
	}
	return nil
}

// kongPods returns injected pods on one database. With ready, they run; otherwise they wait for their migration.
func kongPods(t *testing.T, count int, ready bool) []corev1.Pod {
	t.Helper()
	record, err := json.Marshal(mutate.InjectionRecord{Releases: []mutate.ReleaseRecord{{
		Plugin: "dao-test", Digest: "sha256:release", Sources: []string{"dao-test"}, Migrations: "sha256:migrations",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	pods := make([]corev1.Pod, count)
	for i := range pods {
		pods[i] = corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "kong", Name: fmt.Sprintf("kong-%d", i), UID: types.UID(fmt.Sprint(i)),
				Labels: map[string]string{annotations.Injected: "true"},
				Annotations: map[string]string{
					annotations.Plugins: "dao-test", annotations.InjectionRecord: string(record),
				},
			},
			Spec: corev1.PodSpec{ServiceAccountName: "kong", Volumes: pluginVolumes(), Containers: []corev1.Container{{
				Name: "proxy", Image: "kong:3.9", Env: []corev1.EnvVar{
					{Name: "KONG_PG_HOST", Value: "postgres"}, {Name: "KONG_PLUGINS", Value: "bundled,dao-test"},
				},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "kongdao-dao-test", MountPath: "/opt/kong/plugins/dao-test"},
					{Name: "kongdao-migrations", MountPath: "/opt/kong/plugins/dao-test/migrations", SubPath: "dao-test"},
				},
			}}},
		}
		if !ready {
			pods[i].Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.MigrationsGate}}
			continue
		}
		pods[i].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return pods
}

// pluginVolumes returns the volumes of an injected pod.
func pluginVolumes() []corev1.Volume {
	volume := func(name, file string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "dao-test"},
				Items:                []corev1.KeyToPath{{Key: "file", Path: file}},
			}}},
		}}}
	}
	return []corev1.Volume{
		volume("kongdao-dao-test", "handler.lua"), volume("kongdao-migrations", "dao-test/000_base.lua"),
	}
}

// reconcileTest is a controller with a cache and an API server.
type reconcileTest struct {
	*testing.T
	controller   *Controller
	cached, live *fakeServer
	key          clusterstate.DatabaseKey
}

// newReconcileTest returns a controller for pods and their PluginMigration in a phase. If the phase is empty, the
// PluginMigration does not exist.
func newReconcileTest(
	t *testing.T, pods []corev1.Pod, change func(*v1alpha1.PluginMigration),
) *reconcileTest {
	t.Helper()
	index, err := clusterstate.StaticInjectedPods(podPointers(pods)...)
	if err != nil {
		t.Fatal(err)
	}
	read, _, err := clusterstate.MigrationPod(&pods[0])
	if err != nil {
		t.Fatal(err)
	}
	test := &reconcileTest{
		T:   t,
		key: clusterstate.DatabaseKey{Namespace: "kong", Database: read.Requirement.Database.Key},
	}
	server := func() *fakeServer {
		result := &fakeServer{pods: slices.Clone(pods)}
		if change != nil {
			migration := v1alpha1.PluginMigration{
				ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: read.Migration}, Spec: read.Requirement.Spec(),
			}
			change(&migration)
			result.migrations = []v1alpha1.PluginMigration{migration}
		}
		return result
	}
	test.cached, test.live = server(), server()
	metrics, err := NewMetrics(prometheus.NewRegistry(), test.cached, index)
	if err != nil {
		t.Fatal(err)
	}
	test.controller = &Controller{
		Client: splitClient{test.live, test.cached}, Live: test.live, Pods: index,
		Sources: clusterstate.StaticSources(), Settings: migrate.Settings{HistoryLimit: 10}, Metrics: metrics,
		Events: events.NewRecorder(clientevents.NewFakeRecorder(100)), Log: logr.Discard(),
	}
	return test
}

func podPointers(pods []corev1.Pod) []*corev1.Pod {
	pointers := make([]*corev1.Pod, len(pods))
	for i := range pods {
		pointers[i] = &pods[i]
	}
	return pointers
}

// splitClient reads the cache and writes to the API server.
type splitClient struct {
	*fakeServer
	cached *fakeServer
}

func (s splitClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return s.cached.List(ctx, list, options...)
}

// wantRequests checks the requests to the API server since the last check.
func (r *reconcileTest) wantRequests(step string, want map[string]int) {
	r.Helper()
	r.live.mutex.Lock()
	defer r.live.mutex.Unlock()
	if !maps.Equal(r.live.requests, want) {
		r.Errorf("%s: the requests are %v, want %v", step, r.live.requests, want)
	}
	r.live.requests = nil
}
