package controllers

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// kstatusOf returns the status of an object by the generic rules of kstatus, which Flux and other tools apply to every
// kind that they do not know (fact P9).
func kstatusOf(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	if object.GetDeletionTimestamp() != nil {
		return "Terminating"
	}
	observed, found, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if err != nil {
		t.Fatal(err)
	}
	if found && observed != object.GetGeneration() {
		return "InProgress"
	}
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		t.Fatal(err)
	}
	status := map[any]any{}
	for _, condition := range conditions {
		fields := condition.(map[string]any)
		status[fields["type"]] = fields["status"]
	}
	switch {
	case status["Reconciling"] == "True":
		return "InProgress"
	case status["Stalled"] == "True":
		return "Failed"
	case status["Ready"] == nil || status["Ready"] == "True":
		return "Current"
	default:
		return "InProgress"
	}
}

// wantKstatus fails the test unless a PluginMigration has a status for generic tools.
func wantKstatus(t *testing.T, migration *v1alpha1.PluginMigration, want string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind("PluginMigration"))
	object.SetNamespace(migration.Namespace)
	object.SetName(migration.Name)
	get(t, object)
	if got := kstatusOf(t, object); got != want {
		t.Errorf("%s in phase %q is %s for kstatus, want %s: %v",
			migration.Name, migration.Status.Phase, got, want, object.Object["status"])
	}
}

// wantConditions fails the test unless a PluginMigration has exactly these conditions, for its current generation.
func wantConditions(t *testing.T, migration *v1alpha1.PluginMigration, want map[string]metav1.ConditionStatus) {
	t.Helper()
	status := migration.Status
	if status.ObservedGeneration != migration.Generation {
		t.Errorf("the status is about generation %d, want %d", status.ObservedGeneration, migration.Generation)
	}
	got := map[string]metav1.ConditionStatus{}
	for _, condition := range status.Conditions {
		got[condition.Type] = condition.Status
		if condition.ObservedGeneration != migration.Generation {
			t.Errorf("condition %s is about generation %d", condition.Type, condition.ObservedGeneration)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s in phase %s has the conditions %v, want %v", migration.Name, status.Phase, got, want)
	}
}

// TestMigrationStatusForGenericTools proves what `kubectl wait` and kstatus see of a PluginMigration in each phase.
func TestMigrationStatusForGenericTools(t *testing.T) {
	t.Parallel()
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	type conditions = map[string]metav1.ConditionStatus
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	source(t, ns, "dao-test", "1.0.1", base, "CREATE, edited")
	first := pod(ns, "first", "dao-test@1.0.0")
	shared.Create(t, first)
	up := runningJob(t, ns, "up")
	migrating := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	wantKstatus(t, migrating, "InProgress")
	wantConditions(t, migrating, conditions{"Ready": no, "Reconciling": yes, "Migrated": no})
	output := shared.Kubectl(t, ns, "", "wait", "--for=condition=Ready", "--timeout=1s", "kdmig/"+migrating.Name)
	if !output.Failed {
		t.Error("kubectl wait does not wait for the Job")
	}

	// The controller does not see a PluginMigration without a label.
	unseen := &v1alpha1.PluginMigration{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "unseen"}, Spec: migrating.Spec}
	shared.Create(t, unseen)
	wantKstatus(t, unseen, "InProgress")
	remove(t, unseen)

	endJob(t, up, done())
	finished := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
	wantKstatus(t, finished, "Current")
	wantConditions(t, finished, conditions{"Ready": yes, "Migrated": yes, "Finished": yes})
	kubectl(t, ns, "wait", "--for=condition=Ready", "--timeout=1s", "kdmig/"+finished.Name)
	makeReady(t, first)

	edited := pod(ns, "edited", "dao-test@1.0.1")
	shared.Create(t, edited)
	held := migrationInPhase(t, ns, "dao-test@1.0.1", v1alpha1.PhaseHeld)
	wantKstatus(t, held, "Failed")
	wantConditions(t, held, conditions{"Ready": no, "Stalled": yes, "Migrated": no})
	remove(t, edited)

	second := pod(ns, "second", "dao-test@1.1.0")
	shared.Create(t, second)
	endJob(t, runningJob(t, ns, "up"), pending())
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOlderPods, "first")
	migrated := migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseMigrated)
	wantKstatus(t, migrated, "Current")
	wantConditions(t, migrated, conditions{"Ready": yes, "Migrated": yes, "Finished": no})
	makeReady(t, second)
	remove(t, first)
	finish := runningJob(t, ns, "finish")
	finishing := migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFinishing)
	wantKstatus(t, finishing, "InProgress")
	wantConditions(t, finishing, conditions{"Ready": no, "Reconciling": yes, "Migrated": yes, "Finished": no})
	endJob(t, finish, failed("Error: x"))
	failed := migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseFailed)
	wantKstatus(t, failed, "Failed")
	wantConditions(t, failed, conditions{"Ready": no, "Stalled": yes, "Migrated": yes, "Finished": no})
	kubectl(t, ns, "wait", "--for=condition=Stalled", "--timeout=1s", "kdmig/"+failed.Name)
}

// TestMigrationWaitsWithConditions proves that a PluginMigration that waits is in progress.
func TestMigrationWaitsWithConditions(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, pod(ns, "first", "dao-test@1.0.0"))
	up := runningJob(t, ns, "up")
	shared.Create(t, pod(ns, "second", "dao-test@1.1.0"))
	wantMessage(t, ns, "dao-test@1.1.0", v1alpha1.ReasonOtherJobRunning, up.Name)
	waiting := migrationInPhase(t, ns, "dao-test@1.1.0", v1alpha1.PhaseWaiting)
	wantKstatus(t, waiting, "InProgress")
	wantConditions(t, waiting, map[string]metav1.ConditionStatus{
		"Ready": metav1.ConditionFalse, "Reconciling": metav1.ConditionTrue, "Migrated": metav1.ConditionFalse,
	})
	var all v1alpha1.PluginMigrationList
	if err := webhook.Admin.List(t.Context(), &all, client.InNamespace(ns)); err != nil || len(all.Items) != 2 {
		t.Fatalf("%d PluginMigrations: %v", len(all.Items), err)
	}
	for _, migration := range all.Items {
		listed := kubectl(t, ns, "get", "kongdao", "--output=name")
		if !containsLine(listed, "pluginmigration.kongdao.io/"+migration.Name) {
			t.Errorf("`kubectl get kongdao` does not list %s: %s", migration.Name, listed)
		}
	}
}
