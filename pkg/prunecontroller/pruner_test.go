package prunecontroller

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/scope"
	"kongdao.io/kongdao/test/configmaps"
)

func release(namespace, version string, created time.Time) *corev1.ConfigMap {
	source := configmaps.Versioned(configmaps.Source(namespace, "a-"+version, "a"), version)
	source.UID, source.CreationTimestamp = "1", metav1.NewTime(created)
	return source
}

func deployment(namespace, pin string) client.Object {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kong"},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
			Annotations: map[string]string{annotations.Plugins: "a", annotations.Releases: pin},
		}}},
	}
}

// fakeRecorder records the messages of Events.
type fakeRecorder struct{ lines []string }

func (r *fakeRecorder) Eventf(_, _ runtime.Object, _, reason, _, _ string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf("%s: %s", reason, args[0]))
}

// TestPrune proves which releases are deleted. One newest release stays.
func TestPrune(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	old, recent := now.Add(-48*time.Hour), now.Add(-time.Hour)
	changed := release("kong", "1.0.0", old)
	changed.Labels[annotations.PluginVersion] = "9.0.0"
	mutable := release("kong", "1.0.0", old)
	mutable.Immutable = nil
	for name, test := range map[string]struct {
		reason   string
		sources  []*corev1.ConfigMap
		objects  []client.Object
		stored   *corev1.ConfigMap // replaces a-1.0.0 in the API server
		want     []string
		wantGone bool
	}{
		"unused": {"an old release", []*corev1.ConfigMap{release("kong", "1.0.0", old), release("kong", "2.0.0", recent)},
			nil, nil, []string{"kong/a-2.0.0"}, true},
		"used": {"a template names it", []*corev1.ConfigMap{release("kong", "1.0.0", old), release("kong", "2.0.0", old)},
			[]client.Object{deployment("kong", "a@1.0.0")}, nil, []string{"kong/a-1.0.0", "kong/a-2.0.0"}, false},
		"used elsewhere": {"the other namespace has its own releases",
			[]*corev1.ConfigMap{release("kong", "1.0.0", old), release("kong", "2.0.0", old)},
			[]client.Object{deployment("shop", "a@1.0.0")}, nil, []string{"kong/a-2.0.0"}, true},
		"recent": {"a manifest can name it soon",
			[]*corev1.ConfigMap{release("kong", "1.0.0", recent), release("kong", "2.0.0", old)},
			nil, nil, []string{"kong/a-1.0.0", "kong/a-2.0.0"}, false},
		"the newest": {"one stays", []*corev1.ConfigMap{release("kong", "1.0.0", old)}, nil, nil,
			[]string{"kong/a-1.0.0"}, false},
		"mutable": {"a person edits it", []*corev1.ConfigMap{mutable, release("kong", "2.0.0", old)}, nil, nil,
			[]string{"kong/a-1.0.0", "kong/a-2.0.0"}, false},
		"excluded namespace": {"kongdao does not work there",
			[]*corev1.ConfigMap{release("kube-system", "1.0.0", old), release("kube-system", "2.0.0", old)}, nil, nil,
			[]string{"kube-system/a-1.0.0", "kube-system/a-2.0.0"}, false},
		"changed since": {"the cache is old", []*corev1.ConfigMap{release("kong", "1.0.0", old),
			release("kong", "2.0.0", old)}, nil, changed, []string{"kong/a-1.0.0", "kong/a-2.0.0"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := &fakeRecorder{}
			p, stored := newPruner(t, recorder, now, test.sources, test.objects, test.stored)
			if err := p.prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			var left corev1.ConfigMapList
			if err := stored.List(context.Background(), &left); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, configMap := range left.Items {
				names = append(names, configMap.Namespace+"/"+configMap.Name)
			}
			slices.Sort(names)
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
			want := []string(nil)
			if test.wantGone {
				want = []string{`ReleasePruned: nothing uses release "a@1.0.0", and newer releases exist`}
			}
			if diff := cmp.Diff(want, recorder.lines); diff != "" {
				t.Errorf("Events (-want +got)\n%s", diff)
			}
		})
	}
}

func newPruner(
	t *testing.T, recorder *fakeRecorder, now time.Time, sources []*corev1.ConfigMap, objects []client.Object,
	stored *corev1.ConfigMap,
) (*Pruner, client.Client) {
	t.Helper()
	inScope, err := scope.New("kongdao-system", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...)
	for _, source := range sources {
		if stored != nil && source.Name == stored.Name {
			source = stored
		}
		builder.WithObjects(source)
	}
	cluster := builder.Build()
	return &Pruner{
		Client: cluster, Live: cluster, Sources: clusterstate.StaticSources(sources...),
		Exclusions: clusterstate.Exclusions{Scope: inScope}, Events: events.NewRecorder(recorder), Log: logr.Discard(),
		Now: func() time.Time { return now }, Keep: 1, MinAge: 24 * time.Hour,
	}, cluster
}
