package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// TestWithoutController proves that the webhook makes the same decisions while the controller does not run. The gates
// that it adds are removed when the controller runs again.
func TestWithoutController(t *testing.T) {
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	source(t, ns, quiet, "1.0.0")
	_, _, users := createLibrary(t, policySpec{Plugins: plugins(quiet)}, 1)
	migrateWith(t, ns, "first", "dao-test@1.0.0")

	migrated, waiting := pod(ns, "migrated", "dao-test@1.0.0"), pod(ns, "waiting", "dao-test@1.1.0")
	injected, denied := pod(ns, "injected", quiet), pod(ns, "denied", "no-such-plugin")
	withLibrary := kongPod(users[0], "library")
	restart(t, func() {
		shared.Create(t, migrated, waiting, injected, withLibrary)
		if err := webhook.Admin.Create(t.Context(), denied); err == nil {
			t.Error("a pod with an unknown plugin is admitted")
		}
		got := map[string][]corev1.PodSchedulingGate{}
		for _, pod := range []*corev1.Pod{migrated, waiting, injected, withLibrary} {
			if pod.Labels[annotations.Injected] != "true" {
				t.Errorf("pod %s is not injected", pod.Name)
			}
			got[pod.Name] = pod.Spec.SchedulingGates
		}
		want := map[string][]corev1.PodSchedulingGate{
			"migrated": nil, "waiting": {{Name: annotations.MigrationsGate}}, "injected": nil,
			"library": {{Name: annotations.LibraryGate}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("gates (-want +got)\n%s", diff)
		}
	})
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, waiting)
	wantCopiesProvided(t, withLibrary)
}
