package repair_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/repair"
)

// migrationIn returns a migration in a phase. The reason is that of the condition that is not True yet.
func migrationIn(phase v1alpha1.Phase, reason string, pending ...string) *v1alpha1.PluginMigration {
	migration := &v1alpha1.PluginMigration{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "dao-test-1"}}
	migration.Status = v1alpha1.PluginMigrationStatus{Phase: phase, Message: "Because.", Job: "job-1", Pending: pending}
	conditionType := v1alpha1.ConditionMigrated
	switch phase {
	case v1alpha1.PhaseMigrated, v1alpha1.PhaseFinishing, v1alpha1.PhaseFinished:
		migration.Status.Conditions = []metav1.Condition{{Type: conditionType, Status: metav1.ConditionTrue}}
		conditionType = v1alpha1.ConditionFinished
	}
	migration.Status.Conditions = append(migration.Status.Conditions,
		metav1.Condition{Type: conditionType, Status: metav1.ConditionFalse, Reason: reason})
	return migration
}

func onHold(migration *v1alpha1.PluginMigration) *v1alpha1.PluginMigration {
	migration.Annotations = map[string]string{annotations.Migrations: "off"}
	return migration
}

func TestMigrations(t *testing.T) {
	finish := func(m *v1alpha1.PluginMigration) (repair.Action, error) { return repair.Finish(m, false) }
	finishAnyway := func(m *v1alpha1.PluginMigration) (repair.Action, error) { return repair.Finish(m, true) }
	for name, test := range map[string]struct {
		action    func(*v1alpha1.PluginMigration) (repair.Action, error)
		migration *v1alpha1.PluginMigration
		// want is the patch, "delete", or a part of the error.
		want  string
		risky bool
	}{
		"retry a failed one": {repair.Retry, migrationIn(v1alpha1.PhaseFailed, v1alpha1.ReasonJobFailed), "delete", false},
		"retry a running one": {
			repair.Retry, migrationIn(v1alpha1.PhaseMigrating, v1alpha1.ReasonJobRunning), "delete", true,
		},
		"retry a waiting one": {
			repair.Retry, migrationIn(v1alpha1.PhaseWaiting, v1alpha1.ReasonDatabaseUnreachable), "delete", false,
		},
		"retry a finished one": {repair.Retry, migrationIn(v1alpha1.PhaseFinished, ""), "nothing to try again", false},
		"retry an edited one": {
			repair.Retry, migrationIn(v1alpha1.PhaseHeld, v1alpha1.ReasonEditedMigration), "would be held too", false,
		},
		"retry one on hold": {
			repair.Retry, onHold(migrationIn(v1alpha1.PhaseHeld, v1alpha1.ReasonOnHold)),
			`{"metadata":{"annotations":{"kongdao.io/migrations":null}}}`, false,
		},
		"finish a manual one": {
			finish, migrationIn(v1alpha1.PhaseMigrated, v1alpha1.ReasonManualFinish, "dao-test: 001"),
			`{"metadata":{"annotations":{"kongdao.io/migrations":"auto"}}}`, true,
		},
		"finish an automatic one": {
			finish, migrationIn(v1alpha1.PhaseMigrated, v1alpha1.ReasonOlderPods, "dao-test: 001"), "without you", false,
		},
		"finish in spite of other namespaces": {
			finishAnyway, migrationIn(v1alpha1.PhaseMigrated, v1alpha1.ReasonOlderPods, "dao-test: 001"),
			`{"metadata":{"annotations":{"kongdao.io/ignore-foreign-pods":"true","kongdao.io/migrations":"auto"}}}`, true,
		},
		"finish one that is not migrated": {
			finish, migrationIn(v1alpha1.PhaseWaiting, v1alpha1.ReasonNotStarted), "comes after", false,
		},
		"finish one without pending migrations": {finish, migrationIn(v1alpha1.PhaseFinished, ""), "is pending", false},
		"finish a finishing one": {
			finish, migrationIn(v1alpha1.PhaseFinishing, v1alpha1.ReasonJobRunning, "dao-test: 001"), "runs already", false,
		},
		"accept an edited one": {
			repair.Accept, migrationIn(v1alpha1.PhaseHeld, v1alpha1.ReasonEditedMigration),
			`{"metadata":{"annotations":{"kongdao.io/accept-edited":"true"}}}`, true,
		},
		"accept one on hold": {
			repair.Accept, onHold(migrationIn(v1alpha1.PhaseHeld, v1alpha1.ReasonOnHold)), "no edited migration", false,
		},
		"hold a waiting one": {
			repair.Hold, migrationIn(v1alpha1.PhaseWaiting, v1alpha1.ReasonNotStarted),
			`{"metadata":{"annotations":{"kongdao.io/migrations":"off"}}}`, false,
		},
		"hold one on hold": {
			repair.Hold, onHold(migrationIn(v1alpha1.PhaseHeld, v1alpha1.ReasonOnHold)), "held already", false,
		},
		"hold a finished one": {repair.Hold, migrationIn(v1alpha1.PhaseFinished, ""), "no more Jobs", false},
	} {
		t.Run(name, func(t *testing.T) {
			action, err := test.action(test.migration)
			got := string(action.Patch)
			switch {
			case err != nil:
				got = err.Error()
			case action.Delete:
				got = "delete"
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if isRisky := action.Risk != ""; isRisky != test.risky {
				t.Errorf("the risk is %q", action.Risk)
			}
			if err == nil && action.Effect == "" {
				t.Error("the action has no effect")
			}
		})
	}
}

func TestUngate(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "kong-1"}}
	if _, err := repair.Ungate(pod); err == nil {
		t.Error("a pod without gates has an action")
	}
	pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{
		{Name: "example.com/quota"}, {Name: annotations.LibraryGate}, {Name: annotations.MigrationsGate},
	}
	action, err := repair.Ungate(pod)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{annotations.LibraryGate, annotations.MigrationsGate}, action.Gates); diff != "" {
		t.Errorf("gates of kongdao (-want +got)\n%s", diff)
	}
	for _, part := range []string{"status 500", "ContainerCreating"} {
		if !strings.Contains(action.Risk, part) {
			t.Errorf("the risk is %q", action.Risk)
		}
	}
}
