package main

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/migratecontroller"
)

// addMigrations adds the migration controller, and lets pods wait for migrations.
func (p *process) addMigrations(ctx context.Context) error {
	migrations, err := clusterstate.NewMigrations(ctx, p.manager.GetCache(), p.manager.GetClient())
	if err != nil {
		return explainMissingCRDs(err)
	}
	p.cluster.Migrations = migrations
	controllerMetrics, err := migratecontroller.NewMetrics(metrics.Registry, p.manager.GetClient(), p.injectedPods)
	if err != nil {
		return err
	}
	controller := &migratecontroller.Controller{
		Client:     p.manager.GetClient(),
		Live:       p.manager.GetAPIReader(),
		Pods:       p.injectedPods,
		Sources:    p.cluster.Sources,
		Exclusions: p.exclusions(),
		Settings:   migrationSettings(p.options),
		Events:     p.events,
		Metrics:    controllerMetrics,
		Log:        ctrl.Log.WithName("migrations"),
	}
	return controller.SetUp(p.manager)
}

// exclusions returns the namespaces in which the controllers do nothing.
func (p *process) exclusions() clusterstate.Exclusions {
	return clusterstate.Exclusions{
		Scope:      p.scope,
		Namespaces: &clusterstate.Namespaces{Cached: p.manager.GetClient(), Live: p.manager.GetAPIReader()},
	}
}

// abandonedAfter is how long the PluginMigrations of a database stay that no pod uses. A gateway that is turned off for
// a long holiday still finds them.
const abandonedAfter = 30 * 24 * time.Hour

func migrationSettings(options Options) migrate.Settings {
	seconds := func(duration time.Duration) int64 { return int64(duration / time.Second) }
	return migrate.Settings{
		TimeoutSeconds:  seconds(options.MigrationTimeout),
		DeadlineSeconds: seconds(options.MigrationDeadline),
		TTLSeconds:      int32(seconds(options.JobRetention)), //nolint:gosec // G115: up to 68 years
		PodLabels:       options.JobLabels,
		PodAnnotations:  options.JobAnnotations,
		HistoryLimit:    options.MigrationHistory,
		FinishDelay:     options.FinishDelay,
		AbandonedAfter:  abandonedAfter,
	}
}
