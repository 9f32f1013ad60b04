package upgrade_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/upgrade"
)

// wantProgress fails the test unless the progress is the expected one.
func wantProgress(t *testing.T, got, want upgrade.Progress) {
	t.Helper()
	if !strings.Contains(got.Message, want.Message) || got.Done != want.Done || got.Failed != want.Failed {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestRolloutOf proves when a rollout is complete.
func TestRolloutOf(t *testing.T) {
	deployment := func(paused bool, replicas, updated, available int32) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "kong", Generation: 2},
			Spec:       appsv1.DeploymentSpec{Replicas: new(int32(3)), Paused: paused},
			Status: appsv1.DeploymentStatus{
				ObservedGeneration: 2, Replicas: replicas, UpdatedReplicas: updated, AvailableReplicas: available,
			},
		}
	}
	notObserved, failing := deployment(false, 3, 3, 3), deployment(false, 0, 0, 0)
	notObserved.Status.ObservedGeneration = 1
	failing.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue},
	}
	statefulSet := func(strategy appsv1.StatefulSetUpdateStrategyType, updated, ready int32) *appsv1.StatefulSet {
		return &appsv1.StatefulSet{
			Spec: appsv1.StatefulSetSpec{UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: strategy}},
			Status: appsv1.StatefulSetStatus{
				CurrentRevision: "a", UpdateRevision: "b", UpdatedReplicas: updated, ReadyReplicas: ready,
			},
		}
	}
	daemonSet := func(strategy appsv1.DaemonSetUpdateStrategyType, updated, available int32) *appsv1.DaemonSet {
		return &appsv1.DaemonSet{
			Spec: appsv1.DaemonSetSpec{UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: strategy}},
			Status: appsv1.DaemonSetStatus{
				DesiredNumberScheduled: 2, UpdatedNumberScheduled: updated, NumberAvailable: available,
			},
		}
	}
	for name, test := range map[string]struct {
		object any
		want   upgrade.Progress
	}{
		"complete":     {deployment(false, 3, 3, 3), upgrade.Progress{Message: "complete, updated pods: 3", Done: true}},
		"not observed": {notObserved, upgrade.Progress{Message: "waits for the Deployment controller"}},
		"paused": {deployment(true, 3, 0, 3), upgrade.Progress{
			Message: `"kubectl rollout resume deployment kong -n kong"`, Done: true, Failed: true,
		}},
		"cannot create pods":       {failing, upgrade.Progress{Message: "pods cannot be created"}},
		"updating":                 {deployment(false, 4, 1, 3), upgrade.Progress{Message: "1 of 3 pods are updated"}},
		"old pods":                 {deployment(false, 4, 3, 3), upgrade.Progress{Message: "old pods that have"}},
		"not available":            {deployment(false, 3, 3, 1), upgrade.Progress{Message: "1 of 3 updated pods are"}},
		"StatefulSet":              {statefulSet("", 1, 1), upgrade.Progress{Message: "updated pods: 1", Done: true}},
		"StatefulSet, updating":    {statefulSet("", 0, 1), upgrade.Progress{Message: "0 of 1 pods are updated"}},
		"StatefulSet, not ready":   {statefulSet("", 1, 0), upgrade.Progress{Message: "0 of 1 pods are ready"}},
		"StatefulSet, on delete":   {statefulSet("OnDelete", 0, 1), upgrade.Progress{Message: "delete its pods", Done: true}},
		"DaemonSet":                {daemonSet("", 2, 2), upgrade.Progress{Message: "complete, updated pods: 2", Done: true}},
		"DaemonSet, updating":      {daemonSet("", 1, 2), upgrade.Progress{Message: "1 of 2 pods are updated"}},
		"DaemonSet, not available": {daemonSet("", 2, 1), upgrade.Progress{Message: "1 of 2 updated pods are available"}},
		"DaemonSet, on delete":     {daemonSet("OnDelete", 0, 2), upgrade.Progress{Message: "delete its pods", Done: true}},
	} {
		t.Run(name, func(t *testing.T) { wantProgress(t, upgrade.RolloutOf(test.object), test.want) })
	}
}

// TestMigrationOf proves when the migrations of an upgrade are complete.
func TestMigrationOf(t *testing.T) {
	plan := upgrade.Plan{Changes: []upgrade.Change{{To: annotations.PluginRef{Name: "a"}, Digest: "sha256:new"}}}
	migration := func(digest string, phase v1alpha1.Phase, reason string) v1alpha1.PluginMigration {
		return v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{Name: "m"},
			Spec: v1alpha1.PluginMigrationSpec{
				Plugins: []v1alpha1.PluginMigrations{{Name: "a", ReleaseDigest: digest}},
			},
			Status: v1alpha1.PluginMigrationStatus{
				Phase: phase, Message: "why", Conditions: []metav1.Condition{{Type: "Finished", Reason: reason}},
			},
		}
	}
	for name, test := range map[string]struct {
		migrations []v1alpha1.PluginMigration
		want       upgrade.Progress
	}{
		"none": {nil, upgrade.Progress{Done: true}},
		"of another release": {
			[]v1alpha1.PluginMigration{migration("sha256:old", v1alpha1.PhaseFailed, "")}, upgrade.Progress{Done: true},
		},
		"waiting": {
			[]v1alpha1.PluginMigration{migration("sha256:new", v1alpha1.PhaseWaiting, "")},
			upgrade.Progress{Message: `PluginMigration "m" is Waiting: why`},
		},
		"migrated": {
			[]v1alpha1.PluginMigration{migration("sha256:new", v1alpha1.PhaseMigrated, "")},
			upgrade.Progress{Message: `PluginMigration "m" is Migrated: why`},
		},
		"a person finishes": {
			[]v1alpha1.PluginMigration{migration("sha256:new", v1alpha1.PhaseMigrated, v1alpha1.ReasonManualFinish)},
			upgrade.Progress{Message: `PluginMigration "m" is Migrated: why`, Done: true},
		},
		"finished": {
			[]v1alpha1.PluginMigration{migration("sha256:new", v1alpha1.PhaseFinished, "")}, upgrade.Progress{Done: true},
		},
		"one of two failed": {
			[]v1alpha1.PluginMigration{
				migration("sha256:new", v1alpha1.PhaseFinished, ""), migration("sha256:new", v1alpha1.PhaseFailed, ""),
			},
			upgrade.Progress{Message: `PluginMigration "m" is Failed: why`, Done: true, Failed: true},
		},
		"held": {
			[]v1alpha1.PluginMigration{migration("sha256:new", v1alpha1.PhaseHeld, "")},
			upgrade.Progress{Message: `PluginMigration "m" is Held: why`, Done: true, Failed: true},
		},
	} {
		t.Run(name, func(t *testing.T) { wantProgress(t, upgrade.MigrationOf(plan, test.migrations), test.want) })
	}
}
