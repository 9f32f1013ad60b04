package migratecontroller

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

const createJob = "create *v1.Job"

// TestFinishReadsPods proves that "finish" does not start if the API server has an injected pod without the migrations
// that the index does not show yet.
func TestFinishReadsPods(t *testing.T) {
	older := kongPods(t, 2, true)[1]
	older.Annotations[annotations.InjectionRecord] = strings.ReplaceAll(
		older.Annotations[annotations.InjectionRecord], "sha256:migrations", "sha256:older")
	database := newReconcileTest(t, kongPods(t, 1, true), nil).key.Database
	runner := func(annotation string) corev1.Pod {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "kong", Name: "runner", Annotations: map[string]string{annotation: ""},
			Labels: map[string]string{annotations.Database: database, annotations.Step: "up"},
		}}
		return pod
	}
	for name, test := range map[string]struct {
		change func(*fakeServer)
		starts int
		reason string
	}{
		"the index is right": {func(*fakeServer) {}, 1, ""},
		"an older pod":       {func(live *fakeServer) { live.pods = append(live.pods, older) }, 0, "it is on the API server"},
		"no pod":             {func(live *fakeServer) { live.pods = nil }, 0, "no pod can run the Job"},
		"a pod of a deleted Job": {
			func(live *fakeServer) { live.pods = append(live.pods, runner("")) }, 0, "it may still run a migration",
		},
		"a mirror pod with the labels of a Job": {
			func(live *fakeServer) { live.pods = append(live.pods, runner(corev1.MirrorPodAnnotationKey)) }, 1,
			"a kubelet could otherwise block every database",
		},
		"a pod that is not ready": {
			func(live *fakeServer) { live.pods[0].Status.Conditions = nil }, 0, "it may not work with the new release",
		},
	} {
		r := newReconcileTest(t, kongPods(t, 1, true), migrated("dao-test: 000_base"))
		test.change(r.live)
		r.reconcile()
		if got := r.live.requests[createJob]; got != test.starts {
			t.Errorf("%s: %d Jobs start, want %d: %s", name, got, test.starts, test.reason)
		}
	}
}

// TestPodChangedAfterPlan proves that the Job is not created if the pod of the plan is another one by now, or may not
// have a Job.
func TestPodChangedAfterPlan(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod){
		"created again": func(pod *corev1.Pod) { pod.UID = "another" },
		"mirror pod":    func(pod *corev1.Pod) { pod.Annotations[corev1.MirrorPodAnnotationKey] = "" },
		"no database":   func(pod *corev1.Pod) { pod.Spec.Containers[0].Env = nil },
	} {
		r := newReconcileTest(t, kongPods(t, 1, true), migrated("dao-test: 000_base"))
		snapshot, err := r.controller.readCached(t.Context(), r.key)
		if err != nil {
			t.Fatal(err)
		}
		plan := snapshot.Plan()
		if plan.StartJob == nil {
			t.Fatal("the plan starts no Job")
		}
		changed := r.live.pods[0].DeepCopy()
		change(changed)
		r.live.pods[0] = *changed
		err = r.controller.startJob(t.Context(), snapshot, plan)
		if err == nil || !strings.Contains(err.Error(), `pod "kong/kong-0"`) || r.live.requests[createJob] != 0 {
			t.Errorf("%s: the error is %v, and %d Jobs start", name, err, r.live.requests[createJob])
		}
	}
}

// TestFinishWaits proves that "finish" starts only if all plans have allowed it for some time, and that an older pod
// makes this time begin again.
func TestFinishWaits(t *testing.T) {
	r := newReconcileTest(t, kongPods(t, 1, true), migrated("dao-test: 000_base"))
	r.controller.Settings.FinishDelay = time.Hour
	if after := r.reconcile(); after < time.Hour || r.live.requests[createJob] != 0 {
		t.Errorf("the next plan is after %v, and %d Jobs start", after, r.live.requests[createJob])
	}
	first := r.controller.finishable.get(r.key)
	r.reconcile()
	for name, since := range r.controller.finishable.get(r.key) {
		if first[name] != since {
			t.Errorf("the second plan changed the time from %v to %v", first[name], since)
		}
	}
	r.controller.Settings.FinishDelay = 0
	older := kongPods(t, 2, true)[1]
	older.Annotations[annotations.InjectionRecord] = strings.ReplaceAll(
		older.Annotations[annotations.InjectionRecord], "sha256:migrations", "sha256:older")
	r.live.pods = append(r.live.pods, older)
	r.reconcile()
	if times := r.controller.finishable.get(r.key); len(times) > 0 || r.live.requests[createJob] != 0 {
		t.Errorf("an older pod runs, but the times are %v, and %d Jobs start", times, r.live.requests[createJob])
	}
}
