package migratecontroller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
)

// updateStatus writes the status of a migration, and records Events about its progress and its problems.
func (c *Controller) updateStatus(
	ctx context.Context, migration *v1alpha1.PluginMigration, status v1alpha1.PluginMigrationStatus,
) error {
	before := migration.Status
	migration.Status = status
	err := c.Client.Status().Update(ctx, migration)
	if apierrors.IsNotFound(err) { // it was deleted after the cache was read
		return nil
	}
	if err != nil {
		return fmt.Errorf("update the status of PluginMigration %q: %w", qualified(migration), err)
	}
	if before.Phase != status.Phase {
		c.Log.Info("The phase of a PluginMigration changed",
			"namespace", migration.Namespace, "pluginMigration", migration.Name,
			"phase", string(status.Phase), "before", string(before.Phase), "message", status.Message)
	}
	if event := migrate.EventFor(&before, &status); event.Warning {
		c.Metrics.failures.WithLabelValues(event.Reason).Inc()
		c.recordEvents(migration, event.Reason)
	} else if event.Reason != "" {
		c.Events.Inform(migration, event.Reason, action, event.Message)
	}
	return nil
}

// action is what Events say that the controller did.
const action = "Migrate"

// recordEvents records an Event on a migration, and on each owner of a pod that requires it. Users who created a
// Deployment do not look at PluginMigrations.
func (c *Controller) recordEvents(migration *v1alpha1.PluginMigration, reason string) {
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
