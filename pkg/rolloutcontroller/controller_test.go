package rolloutcontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/scope"
	"kongdao.io/kongdao/test/configmaps"
)

// workload returns a Deployment whose rollout is complete. It requests plugin "a", and has release 1.0.0.
func workload() *appsv1.Deployment {
	labels := map[string]string{"app": "kong"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "kong", UID: "1", Generation: 1,
			Annotations: map[string]string{annotations.Rollout: "auto", "example.com/owner": "team"}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{
					annotations.Plugins: "a", annotations.Releases: "a@1.0.0",
				}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
			},
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
	}
}

func release(version string) *corev1.ConfigMap {
	return configmaps.Versioned(configmaps.Source("kong", "a-"+version, "a"), version)
}

// fakeRecorder records the types, reasons and messages of Events.
type fakeRecorder struct{ lines []string }

func (r *fakeRecorder) Eventf(_, _ runtime.Object, eventType, reason, _, _ string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf("%s %s: %s", eventType, reason, args[0]))
}

// fixture is a controller with one Deployment.
type fixture struct {
	t          *testing.T
	controller *Controller
	client     client.Client
	recorder   *fakeRecorder
	now        time.Time
}

func newFixture(t *testing.T, deployment *appsv1.Deployment) *fixture {
	t.Helper()
	inScope, err := scope.New("kongdao-system", "")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, recorder: &fakeRecorder{}, now: time.Unix(10_000, 0)}
	f.client = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(deployment).Build()
	f.controller = &Controller{
		Client: f.client, Live: f.client, Sources: clusterstate.StaticSources(release("1.0.0")),
		Exclusions: clusterstate.Exclusions{Scope: inScope}, Events: events.NewRecorder(f.recorder),
		Log: logr.Discard(), Now: func() time.Time { return f.now },
	}
	return f
}

// reconcile reads the Deployment as the follower does, and reconciles it. It returns the Events.
func (f *fixture) reconcile() (after time.Duration, lines []string) {
	f.t.Helper()
	reduced, counts := reduce(f.deployment(), false)
	if !counts {
		f.t.Fatal("the Deployment does not count")
	}
	f.controller.followers = map[string]*follower{"Deployment": clusterstate.StaticFollower(reduced)}
	key := workloadKey{"Deployment", types.NamespacedName{Namespace: "kong", Name: "kong"}}
	f.recorder.lines = nil
	result, err := f.controller.reconcile(context.Background(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	return result.RequeueAfter, f.recorder.lines
}

func (f *fixture) deployment() *appsv1.Deployment {
	f.t.Helper()
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: "kong", Name: "kong"}
	if err := f.client.Get(context.Background(), key, deployment); err != nil {
		f.t.Fatal(err)
	}
	return deployment
}

// change changes the Deployment.
func (f *fixture) change(edit func(*appsv1.Deployment)) {
	f.t.Helper()
	deployment := f.deployment()
	edit(deployment)
	status := deployment.Status
	if err := f.client.Update(context.Background(), deployment); err != nil {
		f.t.Fatal(err)
	}
	deployment.Status = status
	if err := f.client.Status().Update(context.Background(), deployment); err != nil {
		f.t.Fatal(err)
	}
}

// publish adds a release that was published just now.
func (f *fixture) publish(version string) {
	f.controller.Sources.Add(release(version))
	f.controller.settling.note(types.NamespacedName{Namespace: "kong", Name: "a"}, f.now)
}

// TestRollout follows a workload through releases. Each Event is recorded once.
func TestRollout(t *testing.T) {
	f := newFixture(t, workload())
	check := func(step string, wantAfter time.Duration, wantPin string, want ...string) {
		t.Helper()
		after, lines := f.reconcile()
		if after != wantAfter {
			t.Errorf("%s: the next reconciliation is after %v, want %v", step, after, wantAfter)
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s: Events (-want +got)\n%s", step, diff)
		}
		if got := f.deployment().Spec.Template.Annotations[annotations.Releases]; got != wantPin {
			t.Errorf("%s: the template has %q, want %q", step, got, wantPin)
		}
	}
	check("nothing to do", 0, "a@1.0.0")
	f.publish("1.1.0")
	check("just published", settleDelay, "a@1.0.0")
	f.now = f.now.Add(settleDelay)
	check("settled", 0, "a@1.1.0",
		"Normal RolloutStarted: new releases passed all checks, and the workload moves: a: 1.0.0 -> 1.1.0")
	f.change(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 })
	check("pods start", 0, "a@1.1.0")
	f.publish("1.2.0")
	f.now = f.now.Add(settleDelay)
	check("unfinished", 0, "a@1.1.0", "Normal RolloutHeld: a: 1.1.0 -> 1.2.0: waits, because the present rollout is not "+
		"complete: 0 of 1 pods are updated")
	check("still unfinished", 0, "a@1.1.0")
	f.change(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 })
	check("complete, and the next one", 0, "a@1.2.0", "Normal RolloutComplete: a: 1.0.0 -> 1.1.0",
		"Normal RolloutStarted: new releases passed all checks, and the workload moves: a: 1.1.0 -> 1.2.0")
	f.change(func(d *appsv1.Deployment) {
		d.Status.UpdatedReplicas = 0
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing,
			Status: corev1.ConditionFalse, Message: `ReplicaSet "kong-1" has timed out progressing.`}}
	})
	check("stuck", 0, "a@1.2.0",
		"Warning RolloutFailed: the rollout does not succeed, and kongdao does not try it again: "+
			`ReplicaSet "kong-1" has timed out progressing. Go back with "kubectl rollout undo". `+
			"Then the workload can move to a fixed release")
	check("still stuck", 0, "a@1.2.0")
	f.change(func(d *appsv1.Deployment) {
		d.Spec.Template.Annotations[annotations.Releases] = "a@1.1.0"
		d.Status.UpdatedReplicas, d.Status.Conditions = 1, nil
	})
	check("rolled back", 0, "a@1.1.0")
	f.change(func(d *appsv1.Deployment) { d.Annotations[annotations.Rollout] = "yes" })
	check("invalid", 0, "a@1.1.0",
		`Warning RolloutInvalid: annotation kongdao.io/rollout: the value is "yes"; use "auto" or "manual"`)

	got := f.deployment()
	want := map[string]string{
		annotations.Rollout: "yes", "example.com/owner": "team", annotations.PreviousReleases: "a@1.1.0",
		annotations.RolledOut: got.Annotations[annotations.RolledOut],
		annotations.RolloutStatus: `RolloutInvalid: annotation kongdao.io/rollout: the value is "yes"; ` +
			`use "auto" or "manual"`,
	}
	if diff := cmp.Diff(want, got.Annotations); diff != "" {
		t.Errorf("annotations (-want +got)\n%s", diff)
	}
	if !strings.Contains(want[annotations.RolledOut], `"a@1.2.0":"sha256:`) {
		t.Errorf("%s is %q", annotations.RolledOut, want[annotations.RolledOut])
	}
}

// TestConflict proves that a move
// fails and is tried again if the workload has changed since it was read.
func TestConflict(t *testing.T) {
	f := newFixture(t, workload())
	old, _ := reduce(f.deployment(), false)
	f.change(func(d *appsv1.Deployment) { d.Spec.Paused = true })
	f.publish("1.1.0")
	f.now = f.now.Add(settleDelay)
	f.controller.followers = map[string]*follower{"Deployment": clusterstate.StaticFollower(old)}
	key := workloadKey{"Deployment", types.NamespacedName{Namespace: "kong", Name: "kong"}}
	result, err := f.controller.reconcile(t.Context(), key)
	if err != nil || result.RequeueAfter != minRetryDelay || len(f.recorder.lines) > 0 {
		t.Errorf("got %+v, %v and Events %q, want a retry", result, err, f.recorder.lines)
	}
	if got := f.deployment().Spec.Template.Annotations[annotations.Releases]; got != "a@1.0.0" {
		t.Errorf("the template has %q", got)
	}
}

// TestDenial proves that the Event and the status of a workload say that the API server does not accept a move.
func TestDenial(t *testing.T) {
	f := newFixture(t, workload())
	f.publish("1.1.0")
	f.now = f.now.Add(settleDelay)
	f.controller.Client = interceptor.NewClient(f.client.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, to client.WithWatch, patch runtime.ApplyConfiguration,
			options ...client.ApplyOption) error {
			if slices.Contains(options, client.ApplyOption(moveOwner)) {
				return errors.New("denied by a site policy")
			}
			return to.Apply(ctx, patch, options...)
		},
	})
	reduced, _ := reduce(f.deployment(), false)
	f.controller.followers = map[string]*follower{"Deployment": clusterstate.StaticFollower(reduced)}
	key := workloadKey{"Deployment", types.NamespacedName{Namespace: "kong", Name: "kong"}}
	for range 2 {
		if _, err := f.controller.reconcile(t.Context(), key); err == nil {
			t.Error("there is no error")
		}
	}
	want := "RolloutHeld: a: 1.0.0 -> 1.1.0: waits, because the API server does not accept the change: move Deployment " +
		`"kong/kong": denied by a site policy`
	if diff := cmp.Diff([]string{"Normal " + want}, f.recorder.lines); diff != "" {
		t.Errorf("Events (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want, f.deployment().Annotations[annotations.RolloutStatus]); diff != "" {
		t.Errorf("status (-want +got)\n%s", diff)
	}
}

// TestReduce proves which workloads the controller follows.
func TestReduce(t *testing.T) {
	edit := func(change func(*appsv1.Deployment)) *appsv1.Deployment {
		made := workload()
		change(made)
		return made
	}
	notAsked := func(d *appsv1.Deployment) { d.Annotations = nil }
	set := func(value string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Annotations[annotations.Rollout] = value }
	}
	for name, test := range map[string]struct {
		object   *appsv1.Deployment
		policies bool
		want     bool
	}{
		"annotation":         {workload(), false, true},
		"no annotation":      {edit(notAsked), false, false},
		"a policy could ask": {edit(notAsked), true, true},
		"does not run Kong": {edit(func(d *appsv1.Deployment) {
			d.Annotations, d.Spec.Template.Spec.Containers[0].Image = nil, "nginx"
		}), true, false},
		"is deleted":            {edit(func(d *appsv1.Deployment) { d.DeletionTimestamp = new(metav1.Now()) }), true, false},
		"an invalid annotation": {edit(set("x")), false, true},
		"opts out of a policy":  {edit(set("manual")), true, true},
	} {
		reduced, counts := reduce(test.object, test.policies)
		if counts != test.want || reduced.Name != "kong" || reduced.UID != "1" {
			t.Errorf("%s: counts: %v, want %v; %+v", name, counts, test.want, reduced.ObjectMeta)
		}
		if _, others := reduced.Annotations["example.com/owner"]; others {
			t.Errorf("%s: annotations of others are kept", name)
		}
	}
}
