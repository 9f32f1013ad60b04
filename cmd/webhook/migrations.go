package main

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/migratecontroller"
)

// validateMigrations says what is wrong with the options of migrations.
func (o *Options) validateMigrations() []error {
	if !o.Migrations {
		return nil
	}
	var wrong []error
	deny := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for flag, value := range map[string]time.Duration{
		"--migration-timeout": o.MigrationTimeout, "--migration-deadline": o.MigrationDeadline, "--job-retention": o.JobRetention,
	} {
		if value < time.Second {
			deny("%s %v: shorter than a second", flag, value)
		}
	}
	if o.MigrationDeadline < o.MigrationTimeout {
		deny("--migration-deadline %v: shorter than --migration-timeout, which is %v", o.MigrationDeadline, o.MigrationTimeout)
	}
	if o.MigrationHistory < 0 {
		deny("--migration-history %d: less than none", o.MigrationHistory)
	}
	for name, value := range o.JobLabels {
		if problems := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...); len(problems) > 0 {
			deny("--job-labels %q: no label: %s", name+"="+value, problems[0])
		}
	}
	for name := range o.JobAnnotations {
		if problems := validation.IsQualifiedName(name); len(problems) > 0 {
			deny("--job-annotations %q: no annotation's name: %s", name, problems[0])
		}
	}
	return wrong
}

// migrationCaches is what the cache may hold for migrations.
func migrationCaches(options Options) (map[client.Object]cache.ByObject, error) {
	if !options.Migrations {
		return nil, nil //nolint:nilnil // nothing is held
	}
	jobs, err := migratecontroller.JobCache(options.WatchNamespaces...)
	if err != nil {
		return nil, err
	}
	records := cache.ByObject{Transform: cache.TransformStripManagedFields()}
	for _, namespace := range options.WatchNamespaces {
		if records.Namespaces == nil {
			records.Namespaces = map[string]cache.Config{}
		}
		records.Namespaces[namespace] = cache.Config{}
	}
	return map[client.Object]cache.ByObject{
		&batchv1.Job{}:              jobs,
		&v1alpha1.PluginMigration{}: records,
	}, nil
}

// migrations registers the controller of migrations, and has pods wait for them.
func migrations(ctx context.Context, manager ctrl.Manager, options Options, sources *clusterstate.Sources, index *clusterstate.InjectedPods, pods *admission.Pods) error {
	if !options.Migrations {
		return nil
	}
	records, err := clusterstate.NewMigrations(ctx, manager.GetCache(), manager.GetClient())
	if err != nil {
		return inWords(err)
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
			Timeout: seconds(options.MigrationTimeout), Deadline: seconds(options.MigrationDeadline), Retention: int32(seconds(options.JobRetention)), //nolint:gosec // G115: 68 years
			PodLabels: options.JobLabels, PodAnnotations: options.JobAnnotations, History: options.MigrationHistory,
		},
		Events:  events.NewRecorder(manager.GetEventRecorder("kongdao")),
		Metrics: counted,
		Log:     ctrl.Log.WithName("migrations"),
	}).SetUp(manager)
}

func seconds(duration time.Duration) int64 { return int64(duration / time.Second) }
