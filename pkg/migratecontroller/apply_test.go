package migratecontroller

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// withPlugin changes an injected pod to one that requires the migrations of another plugin.
func withPlugin(test *reconcileTest, pod int, plugin string) {
	test.Helper()
	text, err := json.Marshal(test.live.pods[pod])
	if err != nil {
		test.Fatal(err)
	}
	var changed corev1.Pod
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), "dao-test", plugin)), &changed); err != nil {
		test.Fatal(err)
	}
	test.live.pods[pod], test.cached.pods[pod] = changed, changed
	index, err := clusterstate.StaticInjectedPods(podPointers(test.live.pods)...)
	if err != nil {
		test.Fatal(err)
	}
	test.controller.Pods = index
}

// TestUnpatchablePod proves that a pod whose gate cannot be removed does not stop the work for the other pods of its
// database.
func TestUnpatchablePod(t *testing.T) {
	start := func() *reconcileTest {
		test := newReconcileTest(t, kongPods(t, 3, false), migrated())
		test.live.unpatchable = "kong-0"
		withPlugin(test, 2, "other")
		return test
	}
	wantError := func(t *testing.T, test *reconcileTest) {
		t.Helper()
		_, err := test.controller.Reconcile(t.Context(), test.key)
		want := `remove gate "` + annotations.MigrationsGate + `" from pod "kong/kong-0"`
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want the one of kong-0", err)
		}
	}
	t.Run("create", func(t *testing.T) {
		test := start()
		wantError(t, test)
		test.wantRequest("create *v1alpha1.PluginMigration")
	})
	t.Run("start a Job", func(t *testing.T) {
		test := start()
		other, _, err := clusterstate.MigrationPod(&test.live.pods[2])
		if err != nil {
			t.Fatal(err)
		}
		added := v1alpha1.PluginMigration{Spec: other.Requirement.Spec()}
		added.Namespace, added.Name = "kong", other.Migration
		test.live.migrations = append(test.live.migrations, added)
		test.cached.migrations = append(test.cached.migrations, added)
		wantError(t, test)
		test.wantRequest("create *v1.Job")
		if status := test.live.migrations[1].Status; status.Phase != v1alpha1.PhaseMigrating {
			t.Errorf("the status was not written: %+v", status)
		}
	})
}

// wantRequest checks that a request was sent once to the API server.
func (r *reconcileTest) wantRequest(request string) {
	r.Helper()
	r.live.mutex.Lock()
	defer r.live.mutex.Unlock()
	if r.live.requests[request] != 1 {
		r.Errorf("the requests are %v, want one of %q", r.live.requests, request)
	}
}
