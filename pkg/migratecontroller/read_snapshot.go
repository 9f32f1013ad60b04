package migratecontroller

import (
	"context"
	"errors"
	"fmt"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

// readCached returns the snapshot of a database from the cache. The results of Jobs are not in it: a plan that needs
// one reads it from the API server.
func (c *Controller) readCached(ctx context.Context, key clusterstate.DatabaseKey) (migrate.Snapshot, error) {
	return c.readSnapshot(ctx, c.Client, key, false)
}

// readLive returns the snapshot of a database from the API server, and the live pods if they are needed. It reads all
// of them at the same time: each request can take long while the API server is busy.
func (c *Controller) readLive(
	ctx context.Context, key clusterstate.DatabaseKey, needsPods bool,
) (snapshot migrate.Snapshot, pods *livePods, err error) {
	var reads sync.WaitGroup
	var errPods error
	if needsPods {
		reads.Go(func() { pods, errPods = c.readLivePods(ctx, key) })
	}
	snapshot, err = c.readSnapshot(ctx, c.Live, key, true)
	reads.Wait()
	return snapshot, pods, errors.Join(err, errPods)
}

// readSnapshot returns the snapshot of a database. It reads PluginMigrations and Jobs through reader, pods from the
// index of injected pods, and the results of Jobs from the API server.
func (c *Controller) readSnapshot(
	ctx context.Context, reader client.Reader, key clusterstate.DatabaseKey, results bool,
) (migrate.Snapshot, error) {
	snapshot := migrate.Snapshot{
		Namespace: key.Namespace, Now: metav1.Now(), HistoryLimit: c.Settings.HistoryLimit,
		AbandonedAfter: c.Settings.AbandonedAfter,
		FinishDelay:    c.Settings.FinishDelay, FinishableSince: c.finishable.get(key),
	}
	var err error
	if snapshot.Excluded, err = c.Exclusions.Excludes(ctx, key.Namespace); err != nil {
		return snapshot, err
	}
	selected := func() *client.ListOptions {
		options := &client.ListOptions{}
		client.InNamespace(key.Namespace).ApplyToList(options)
		client.MatchingLabels{annotations.Database: key.Database}.ApplyToList(options)
		return options
	}
	var migrations v1alpha1.PluginMigrationList
	var jobs batchv1.JobList
	var errMigrations, errJobs error
	var reads sync.WaitGroup
	reads.Go(func() { errMigrations = reader.List(ctx, &migrations, selected()) })
	reads.Go(func() { errJobs = reader.List(ctx, &jobs, selected()) })
	reads.Wait()
	if err := errors.Join(errMigrations, errJobs); err != nil {
		return snapshot, fmt.Errorf("read the PluginMigrations and Jobs of database %q in namespace %q: %w",
			key.Database, key.Namespace, err)
	}
	for _, migration := range migrations.Items {
		if migration.DeletionTimestamp == nil {
			snapshot.Migrations = append(snapshot.Migrations, migration)
		}
	}
	for i := range jobs.Items {
		job, err := c.readJob(ctx, &jobs.Items[i], snapshot.Migrations, results)
		if err != nil {
			return snapshot, err
		}
		snapshot.Jobs = append(snapshot.Jobs, job)
	}
	snapshot.Pods = c.withNames(c.Pods.OfDatabase(key.Database))
	return snapshot, nil
}

// withNames returns pods with the names of their migrations. It looks up these names once for all pods with the same
// release: a database can have thousands of pods, and they have few releases.
func (c *Controller) withNames(injected []*clusterstate.InjectedPod) []migrate.Pod {
	type key struct{ namespace, plugin, digest string }
	names := map[key][]v1alpha1.Migration{}
	pods := make([]migrate.Pod, len(injected))
	for i, pod := range injected {
		pods[i] = pod.Migration
		find := func(plugin, digest string) []v1alpha1.Migration {
			from := key{pod.SourceNamespace(plugin), plugin, digest}
			found, known := names[from]
			if !known {
				found = migrate.NamesOf(c.Sources.Releases(from.namespace, plugin), digest)
				names[from] = found
			}
			return found
		}
		pods[i].Requirement.Plugins = pod.Migration.Requirement.Plugins.WithNames(find)
	}
	return pods
}
