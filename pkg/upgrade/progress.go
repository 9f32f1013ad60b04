package upgrade

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Progress is how far an upgrade is.
type Progress struct {
	// Message says what it waits for, or how it ended.
	Message string
	// Done reports whether it has ended. Failed reports whether it cannot succeed without a person.
	Done, Failed bool
}

func waiting(format string, args ...any) Progress {
	return Progress{Message: fmt.Sprintf(format, args...)}
}

func stopped(format string, args ...any) Progress {
	return Progress{Message: fmt.Sprintf(format, args...), Done: true, Failed: true}
}

// RolloutOf returns the progress of a Deployment, StatefulSet or DaemonSet.
func RolloutOf(object any) Progress {
	switch workload := object.(type) {
	case *appsv1.Deployment:
		return rolloutOfDeployment(workload)
	case *appsv1.StatefulSet:
		return rolloutOfStatefulSet(workload)
	case *appsv1.DaemonSet:
		return rolloutOfDaemonSet(workload)
	}
	return Progress{Message: "its kind has no rollout", Done: true}
}

func rolloutOfDeployment(d *appsv1.Deployment) Progress {
	wanted, status := replicas(d.Spec.Replicas), d.Status
	switch {
	case d.Spec.Paused:
		return stopped("the Deployment is paused; resume it with \"kubectl rollout resume deployment %s -n %s\"",
			d.Name, d.Namespace)
	case status.ObservedGeneration < d.Generation:
		return waiting("waits for the Deployment controller")
	case slices.ContainsFunc(status.Conditions, func(condition appsv1.DeploymentCondition) bool {
		return condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue
	}):
		return waiting("pods cannot be created: see the Events of the ReplicaSet")
	case status.UpdatedReplicas < wanted:
		return waiting("%d of %d pods are updated", status.UpdatedReplicas, wanted)
	case status.Replicas > status.UpdatedReplicas:
		return waiting("old pods that have not ended: %d", status.Replicas-status.UpdatedReplicas)
	case status.AvailableReplicas < status.UpdatedReplicas:
		return waiting("%d of %d updated pods are available", status.AvailableReplicas, status.UpdatedReplicas)
	}
	return Progress{Message: fmt.Sprintf("complete, updated pods: %d", wanted), Done: true}
}

func rolloutOfStatefulSet(s *appsv1.StatefulSet) Progress {
	wanted, status := replicas(s.Spec.Replicas), s.Status
	updated := wanted
	if rolling := s.Spec.UpdateStrategy.RollingUpdate; rolling != nil && rolling.Partition != nil {
		updated = max(wanted-*rolling.Partition, 0)
	}
	switch {
	case s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return Progress{Message: "delete its pods to update them: the update strategy is OnDelete", Done: true}
	case status.ObservedGeneration < s.Generation:
		return waiting("waits for the StatefulSet controller")
	case status.UpdateRevision != status.CurrentRevision && status.UpdatedReplicas < updated:
		return waiting("%d of %d pods are updated", status.UpdatedReplicas, updated)
	case status.ReadyReplicas < wanted:
		return waiting("%d of %d pods are ready", status.ReadyReplicas, wanted)
	}
	return Progress{Message: fmt.Sprintf("complete, updated pods: %d", updated), Done: true}
}

func rolloutOfDaemonSet(d *appsv1.DaemonSet) Progress {
	status := d.Status
	switch {
	case d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return Progress{Message: "delete its pods to update them: the update strategy is OnDelete", Done: true}
	case status.ObservedGeneration < d.Generation:
		return waiting("waits for the DaemonSet controller")
	case status.UpdatedNumberScheduled < status.DesiredNumberScheduled:
		return waiting("%d of %d pods are updated", status.UpdatedNumberScheduled, status.DesiredNumberScheduled)
	case status.NumberAvailable < status.DesiredNumberScheduled:
		return waiting("%d of %d updated pods are available", status.NumberAvailable, status.DesiredNumberScheduled)
	}
	return Progress{Message: fmt.Sprintf("complete, updated pods: %d", status.DesiredNumberScheduled), Done: true}
}

func replicas(value *int32) int32 {
	if value == nil {
		return 1
	}
	return *value
}

// ProgressOf returns the progress of a PluginMigration: until pods can start, or until no migration is pending.
func ProgressOf(migration *v1alpha1.PluginMigration, untilFinished bool) Progress {
	status := &migration.Status
	phase := string(status.Phase)
	if phase == "" {
		phase = "not started yet"
	}
	message := strings.TrimSuffix(phase+": "+status.Message, ": ")
	switch {
	case status.Phase == v1alpha1.PhaseFailed || status.Phase == v1alpha1.PhaseHeld:
		return Progress{Message: message, Done: true, Failed: true}
	case status.Phase == v1alpha1.PhaseFinished:
		return Progress{Message: message, Done: true}
	case status.Phase == v1alpha1.PhaseMigrated && untilFinished && isManual(migration):
		return Progress{Message: message, Done: true, Failed: true}
	}
	isMigrated := meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionMigrated)
	return Progress{Message: message, Done: isMigrated && !untilFinished}
}

// MigrationOf returns the progress of the migrations of a plan. The migrations are those of the workload's namespace.
func MigrationOf(plan Plan, migrations []v1alpha1.PluginMigration) Progress {
	progress := Progress{Done: true}
	for i := range migrations {
		migration := &migrations[i]
		if !plan.needs(migration) {
			continue
		}
		text := fmt.Sprintf("PluginMigration %q is %s: %s", migration.Name, migration.Status.Phase, migration.Status.Message)
		switch migration.Status.Phase {
		case v1alpha1.PhaseFailed, v1alpha1.PhaseHeld:
			return stopped("%s", text)
		case v1alpha1.PhaseFinished:
		case v1alpha1.PhaseMigrated:
			if isManual(migration) {
				progress.Message = text
				continue
			}
			return Progress{Message: text}
		default:
			return Progress{Message: text}
		}
	}
	return progress
}

// needs reports whether a migration is for a release of the plan.
func (p *Plan) needs(migration *v1alpha1.PluginMigration) bool {
	return slices.ContainsFunc(migration.Spec.Plugins, func(plugin v1alpha1.PluginMigrations) bool {
		return slices.ContainsFunc(p.Changes, func(change Change) bool {
			return change.To.Name == plugin.Name && change.Digest == plugin.ReleaseDigest
		})
	})
}

// isManual reports whether a person must finish a migration.
func isManual(migration *v1alpha1.PluginMigration) bool {
	return slices.ContainsFunc(migration.Status.Conditions, func(condition metav1.Condition) bool {
		return condition.Type == v1alpha1.ConditionFinished && condition.Reason == v1alpha1.ReasonManualFinish
	})
}
