package main

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/migratecontroller"
)

// migrations registers the controller of migrations, and has pods wait for them.
func migrations(
	ctx context.Context, manager ctrl.Manager, options Options, sources *clusterstate.Sources,
	index *clusterstate.InjectedPods, pods *admission.Pods,
) error {
	if !options.Migrations {
		return nil
	}
	records, err := clusterstate.NewMigrations(ctx, manager.GetCache(), manager.GetClient())
	if err != nil {
		return explainMissingCRDs(err)
	}
	counted, err := migratecontroller.NewMetrics(metrics.Registry, manager.GetClient(), index)
	if err != nil {
		return err
	}
	pods.Migrated = records.IsMigrated
	return (&migratecontroller.Controller{
		Client: manager.GetClient(), Live: manager.GetAPIReader(),
		Pods: index, Sources: sources,
		Settings: migrate.Settings{
			TimeoutSeconds: seconds(options.MigrationTimeout), DeadlineSeconds: seconds(options.MigrationDeadline),
			TTLSeconds: int32(seconds(options.JobRetention)), //nolint:gosec // G115: 68 years
			PodLabels:  options.JobLabels, PodAnnotations: options.JobAnnotations, HistoryLimit: options.MigrationHistory,
		},
		Events:  events.NewRecorder(manager.GetEventRecorder("kongdao")),
		Metrics: counted,
		Log:     ctrl.Log.WithName("migrations"),
	}).SetUp(manager)
}

func seconds(duration time.Duration) int64 { return int64(duration / time.Second) }
