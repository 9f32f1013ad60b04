package migrate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// IsMigrated reports whether the pods that require a migration may start.
func IsMigrated(migration *v1alpha1.PluginMigration) bool {
	return meta.IsStatusConditionTrue(migration.Status.Conditions, v1alpha1.ConditionMigrated)
}

// CannotStart reports whether the next Job of a migration, or its pod, cannot start.
func CannotStart(migration *v1alpha1.PluginMigration) bool {
	return progressReason(&migration.Status) == v1alpha1.ReasonCannotStart
}

// RecordJobStart updates the plan after its Job was created under a name.
func (p Plan) RecordJobStart(job string, now metav1.Time) {
	status := p.StatusUpdates[p.StartJob.Migration]
	setJobStarted(&status, job, p.StartJob.Step, p.StartJob.Attempt, now)
	summarize(&status, now)
	p.StatusUpdates[p.StartJob.Migration] = status
}

// RecordStartError updates the plan after its Job could not be created.
func (p Plan) RecordStartError(err error, now metav1.Time) {
	status := p.StatusUpdates[p.StartJob.Migration]
	setMessage(&status, now, v1alpha1.ReasonCannotStart, "The Job cannot start: "+oneLine(err.Error()))
	summarize(&status, now)
	p.StatusUpdates[p.StartJob.Migration] = status
}

// setJobStarted updates a status for a Job that has started.
func setJobStarted(status *v1alpha1.PluginMigrationStatus, job string, step Step, attempt int32, now metav1.Time) {
	status.Phase = v1alpha1.PhaseMigrating
	if step == stepFinish {
		status.Phase = v1alpha1.PhaseFinishing
	}
	status.Job, status.Attempts, status.StartTime = job, attempt, &now
	if progressReason(status) != v1alpha1.ReasonDatabaseUnreachable {
		status.LastOutput = ""
	}
	status.RetryTime = nil
	setMessage(status, now, v1alpha1.ReasonJobStarting, withLastOutput(status, jobStartsMessage(job)))
}

func jobStartsMessage(job string) string {
	return fmt.Sprintf("Job %q was created, and its pod starts", job)
}

// setMessage sets the message of a status. It also sets the message and the reason of the first condition that is not
// True yet: Migrated, then Finished.
func setMessage(status *v1alpha1.PluginMigrationStatus, now metav1.Time, reason, message string) {
	status.Message = message
	setCondition(status, now, metav1.Condition{
		Type: progressCondition(status), Status: metav1.ConditionFalse, Reason: reason, Message: message,
	})
}

// setMigrated updates a status after Kong listed every migration. It uses status.Pending.
func setMigrated(status *v1alpha1.PluginMigrationStatus, now metav1.Time) {
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionMigrated) {
		status.MigratedTime = &now
	}
	setCondition(status, now, metav1.Condition{
		Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
		Message: "Kong lists every migration as executed or pending",
	})
	status.Phase, status.Message = v1alpha1.PhaseMigrated, ""
	if len(status.Pending) > 0 {
		return
	}
	status.Phase, status.FinishedTime = v1alpha1.PhaseFinished, &now
	setCondition(status, now, metav1.Condition{
		Type: v1alpha1.ConditionFinished, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
		Message: noPendingMessage,
	})
}

const noPendingMessage = "No migration is pending"

// summarize sets the conditions Ready, Reconciling and Stalled from the phase. Exactly one of them is True. Reconciling
// and Stalled are present only while they are True, as kstatus expects (fact P9).
func summarize(status *v1alpha1.PluginMigrationStatus, now metav1.Time) {
	trueType := summaryCondition(status.Phase)
	reason, message := progressReason(status), status.Message
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message,
	}
	if trueType == v1alpha1.ConditionReady {
		ready.Status, ready.Reason = metav1.ConditionTrue, v1alpha1.ReasonVerified
	}
	if status.Phase == v1alpha1.PhaseFinished {
		ready.Message = noPendingMessage
	}
	setCondition(status, now, ready)
	for _, abnormal := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if abnormal != trueType {
			meta.RemoveStatusCondition(&status.Conditions, abnormal)
			continue
		}
		setCondition(status, now, metav1.Condition{
			Type: abnormal, Status: metav1.ConditionTrue, Reason: reason, Message: message,
		})
	}
}

// summaryCondition returns which of Ready, Reconciling and Stalled is True in a phase.
func summaryCondition(phase v1alpha1.Phase) string {
	switch phase {
	case v1alpha1.PhaseMigrated, v1alpha1.PhaseFinished:
		return v1alpha1.ConditionReady
	case v1alpha1.PhaseHeld, v1alpha1.PhaseFailed:
		return v1alpha1.ConditionStalled
	default: // Waiting, Migrating, Finishing, and a new migration without a phase
		return v1alpha1.ConditionReconciling
	}
}

// progressCondition returns the condition type that comes next: Migrated, then Finished.
func progressCondition(status *v1alpha1.PluginMigrationStatus) string {
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionMigrated) {
		return v1alpha1.ConditionFinished
	}
	return v1alpha1.ConditionMigrated
}

// progressReason returns the reason of the condition that comes next.
func progressReason(status *v1alpha1.PluginMigrationStatus) string {
	if condition := meta.FindStatusCondition(status.Conditions, progressCondition(status)); condition != nil {
		return condition.Reason
	}
	return v1alpha1.ReasonNotStarted
}

// setCondition sets a condition for the observed generation. The transition time changes only with the status of the
// condition.
func setCondition(status *v1alpha1.PluginMigrationStatus, now metav1.Time, condition metav1.Condition) {
	condition.ObservedGeneration = status.ObservedGeneration
	condition.LastTransitionTime = now
	meta.SetStatusCondition(&status.Conditions, condition)
}
