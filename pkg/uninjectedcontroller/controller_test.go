package uninjectedcontroller

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/scope"
)

// fakeRecorder records what Events are about.
type fakeRecorder struct{ about []string }

func (r *fakeRecorder) Eventf(about, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	reference := about.(*corev1.ObjectReference)
	r.about = append(r.about, reason+" "+reference.Kind+" "+reference.Name)
}

// TestReconcile proves that each pod is reported once, at its owner, and that the metric counts the present pods.
func TestReconcile(t *testing.T) {
	inScope, err := scope.New("kongdao-system", "")
	if err != nil {
		t.Fatal(err)
	}
	owned := &clusterstate.UninjectedPod{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "owned", UID: "1"},
		Owner: &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "kong"}}
	bare := &clusterstate.UninjectedPod{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "bare", UID: "2"}}
	excluded := &clusterstate.UninjectedPod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "x", UID: "3"}}
	recorder := &fakeRecorder{}
	c := &Controller{
		Pods: clusterstate.StaticFollower(owned, bare, excluded), Events: events.NewRecorder(recorder),
		Exclusions: clusterstate.Exclusions{Scope: inScope},
	}
	registry := prometheus.NewRegistry()
	if err := c.RegisterMetrics(registry); err != nil {
		t.Fatal(err)
	}
	check := func(step string, wantCount float64, wantEvents ...string) {
		t.Helper()
		for _, pod := range []*clusterstate.UninjectedPod{owned, bare, excluded} {
			key := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
			if _, err := c.Reconcile(context.Background(), reconcile.Request{NamespacedName: key}); err != nil {
				t.Fatal(err)
			}
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != wantCount {
			t.Errorf("%s: the metric is %v, want %v", step, got, wantCount)
		}
		if diff := cmp.Diff(wantEvents, recorder.about); diff != "" {
			t.Errorf("%s: Events (-want +got)\n%s", step, diff)
		}
		recorder.about = nil
	}
	check("first", 2, "PluginsMissing ReplicaSet kong", "PluginsMissing Pod bare")
	check("again", 2)
	c.Pods = clusterstate.StaticFollower(bare)
	check("a pod is gone", 1)
	another := *bare
	another.UID = "4"
	c.Pods = clusterstate.StaticFollower(&another)
	check("a pod is replaced", 1, "PluginsMissing Pod bare")
}
