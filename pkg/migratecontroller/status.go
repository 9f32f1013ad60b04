package migratecontroller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
)

// updateStatus writes the status of a migration, and records Events if the migration now needs a person.
func (c *Controller) updateStatus(
	ctx context.Context, migration *v1alpha1.PluginMigration, status v1alpha1.PluginMigrationStatus,
) error {
	before := migration.Status.Phase
	migration.Status = status
	err := c.Client.Status().Update(ctx, migration)
	if apierrors.IsNotFound(err) { // it was deleted after the cache was read
		return nil
	}
	if err != nil {
		return fmt.Errorf("update the status of PluginMigration %q: %w", qualified(migration), err)
	}
	if before == status.Phase {
		return nil
	}
	c.Log.Info("The phase of a PluginMigration changed",
		"namespace", migration.Namespace, "pluginMigration", migration.Name,
		"phase", string(status.Phase), "before", string(before), "message", status.Message)
	if reason := eventReason(status.Phase); reason != "" {
		c.Metrics.failures.WithLabelValues(reason).Inc()
		c.recordEvents(migration, reason)
	}
	return nil
}

// eventReason returns the reason of the Event for a phase, or "" if the phase has no Event.
func eventReason(phase v1alpha1.Phase) string {
	switch phase {
	case v1alpha1.PhaseFailed:
		return "MigrationFailed"
	case v1alpha1.PhaseHeld:
		return "MigrationHeld"
	default:
		return ""
	}
}

// recordEvents records an Event on a migration, and on each owner of a pod that requires it. Users who created a
// Deployment do not look at PluginMigrations.
func (c *Controller) recordEvents(migration *v1alpha1.PluginMigration, reason string) {
	const action = "Migrate"
	c.Events.Warn(migration, reason, action, migration.Status.Message)
	recorded := map[types.UID]bool{}
	for _, pod := range c.Pods.OfDatabase(migration.Spec.Database.Key) {
		if pod.Owner == nil || recorded[pod.Owner.UID] || !requires(pod, migration) {
			continue
		}
		recorded[pod.Owner.UID] = true
		message := fmt.Sprintf("PluginMigration %q: %s", migration.Name, migration.Status.Message)
		c.Events.Warn(events.ReferenceTo(pod.Owner, pod.Namespace), reason, action, message)
	}
}

// requires reports whether a pod requires a migration.
func requires(pod *clusterstate.InjectedPod, migration *v1alpha1.PluginMigration) bool {
	return pod.Namespace == migration.Namespace && pod.Migration.Migration == migration.Name
}
