package migrate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Event is an Event to record on a PluginMigration.
type Event struct {
	// Reason is "" if there is nothing to record.
	Reason string
	// Warning reports whether the migration needs a person. The message is then that of the status.
	Warning bool
	Message string
}

// EventFor returns the Event for the change from one status to another one. Everything that makes pods wait has one.
func EventFor(before, after *v1alpha1.PluginMigrationStatus) Event {
	if reason := progressReason(after); reason != progressReason(before) {
		switch {
		case reason == v1alpha1.ReasonCannotStart:
			return Event{Reason: "MigrationCannotStart", Warning: true}
		case reason == v1alpha1.ReasonDatabaseUnreachable:
			return Event{Reason: "DatabaseUnreachable", Warning: true}
		case after.Phase == v1alpha1.PhaseWaiting && reason != v1alpha1.ReasonNotStarted:
			return Event{Reason: "MigrationWaiting", Message: after.Message}
		}
	}
	wasMigrated := meta.IsStatusConditionTrue(before.Conditions, v1alpha1.ConditionMigrated)
	if before.Phase == after.Phase || after.Phase == v1alpha1.PhaseMigrated && wasMigrated {
		return Event{}
	}
	switch after.Phase {
	case v1alpha1.PhaseFailed:
		return Event{Reason: "MigrationFailed", Warning: true}
	case v1alpha1.PhaseHeld:
		return Event{Reason: "MigrationHeld", Warning: true}
	case v1alpha1.PhaseMigrating:
		return Event{Reason: "MigrationStarted", Message: fmt.Sprintf("Created Job %q for \"kong migrations up\"", after.Job)}
	case v1alpha1.PhaseMigrated:
		return Event{Reason: "Migrated", Message: "The database is migrated, and the pods start. Pending: " +
			joinLines(after.Pending)}
	case v1alpha1.PhaseFinishing:
		return Event{Reason: "FinishStarted", Message: fmt.Sprintf(
			"Created Job %q for \"kong migrations finish\"", after.Job)}
	case v1alpha1.PhaseFinished:
		return Event{Reason: "MigrationFinished", Message: "All migrations are executed, and none is pending"}
	default:
		return Event{}
	}
}
