package main

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/migratecontroller"
)

// addMigrations adds the controller for migrations.
func (s *shared) addMigrations() error {
	controllerMetrics, err := migratecontroller.NewMetrics(metrics.Registry, s.manager.GetClient(), s.pods)
	if err != nil {
		return err
	}
	controller := &migratecontroller.Controller{
		Client:     s.manager.GetClient(),
		Live:       s.manager.GetAPIReader(),
		Pods:       s.pods,
		Sources:    s.sources,
		Exclusions: s.exclusions(),
		Settings:   migrationSettings(s.options),
		Events:     s.events,
		Metrics:    controllerMetrics,
		Log:        ctrl.Log.WithName("migrations"),
	}
	return controller.SetUp(s.manager)
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
