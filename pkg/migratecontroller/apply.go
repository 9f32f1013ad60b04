package migratecontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

// apply does what a plan says. The controller can stop after any step: the next plan continues from there. An error for
// one pod or one migration does not prevent the steps for the others.
func (c *Controller) apply(
	ctx context.Context, key clusterstate.DatabaseKey, snapshot migrate.Snapshot, plan migrate.Plan,
) error {
	c.reportUnusable(plan.Unusable)
	errs := []error{c.ungate(ctx, plan.Ungate), c.create(ctx, key, plan.Create)}
	if plan.DeleteJob != nil {
		errs = append(errs, c.deleteJob(ctx, key.Namespace, plan.DeleteJob))
	}
	if plan.StartJob != nil {
		if err := c.startJob(ctx, snapshot, plan); err != nil {
			errs = append(errs, err)
			plan.RecordStartError(err, snapshot.Now)
		}
	}
	for i := range snapshot.Migrations {
		if status, ok := plan.StatusUpdates[snapshot.Migrations[i].Name]; ok {
			errs = append(errs, c.updateStatus(ctx, &snapshot.Migrations[i], status))
		}
	}
	return errors.Join(append(errs, c.prune(ctx, snapshot, plan.Prune))...)
}

// ungate removes our gate from pods.
func (c *Controller) ungate(ctx context.Context, pods []migrate.Pod) error {
	gated := make([]clusterstate.GatedPod, len(pods))
	for i, pod := range pods {
		gated[i] = clusterstate.GatedPod{
			NamespacedName: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, UID: pod.UID,
		}
	}
	removed, err := c.ungater.Ungate(ctx, c.Client, annotations.MigrationsGate, gated, time.Now())
	if removed > 0 {
		c.Log.Info("Removed the gates of pods whose database is migrated", "namespace", pods[0].Namespace, "pods", removed)
	}
	return err
}

// create creates the PluginMigrations of requirements.
func (c *Controller) create(
	ctx context.Context, key clusterstate.DatabaseKey, requirements []migrate.Requirement,
) error {
	var errs []error
	for _, requirement := range requirements {
		migration := &v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: key.Namespace, Name: requirement.MigrationName(),
				Labels: map[string]string{annotations.Database: key.Database},
			},
			Spec: requirement.Spec(),
		}
		switch err := c.Client.Create(ctx, migration); {
		case apierrors.IsAlreadyExists(err):
			errs = append(errs, fmt.Errorf("PluginMigration %q exists without label %s, so the controller does not see it: "+
				"set the label to %q, or delete the PluginMigration", qualified(migration), annotations.Database, key.Database))
		case err != nil:
			errs = append(errs, fmt.Errorf("create PluginMigration %q: %w", qualified(migration), err))
		default:
			c.Log.Info("Created a PluginMigration", "namespace", key.Namespace, "pluginMigration", migration.Name,
				"plugins", migration.Spec.Request, "database", migration.Spec.Database.Description)
		}
	}
	return errors.Join(errs...)
}

// startJob creates the Job of a plan and records it in the plan.
func (c *Controller) startJob(ctx context.Context, snapshot migrate.Snapshot, plan migrate.Plan) error {
	start := *plan.StartJob
	at := slices.IndexFunc(snapshot.Migrations, func(migration v1alpha1.PluginMigration) bool {
		return migration.Name == start.Migration
	})
	pod, err := c.readJobPod(ctx, &start.From)
	if err != nil {
		return err
	}
	job, err := migrate.NewJob(&snapshot.Migrations[at], start, pod, c.Settings)
	if err != nil {
		return err
	}
	if err := c.Client.Create(ctx, job); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Job %q: %w", qualified(job), err)
	}
	c.Log.Info("Started a Job", "namespace", job.Namespace, "job", job.Name, "step", string(start.Step),
		"finish", string(start.Finish), "pod", start.From.Name)
	c.Metrics.jobs.WithLabelValues(string(start.Step)).Inc()
	plan.RecordJobStart(job.Name, snapshot.Now)
	return nil
}

// deleteJob deletes a Job whose pod never started, and the pod.
func (c *Controller) deleteJob(ctx context.Context, namespace string, planned *migrate.Job) error {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: planned.Name}}
	same := client.Preconditions{UID: &planned.UID}
	err := c.Client.Delete(ctx, job, same, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Job %q, whose pod does not start or does not end: %w", qualified(job), err)
	}
	c.Log.Info("Deleted a Job whose pod does not start or does not end", "namespace", namespace, "job", planned.Name,
		"cannotStart", planned.Pod.CannotStart, "kongHasEnded", planned.Pod.Ended)
	return nil
}

// readJobPod returns the pod of a plan as it is now. The pod must still be the same, and a Job must be allowed.
func (c *Controller) readJobPod(ctx context.Context, planned *migrate.Pod) (*corev1.Pod, error) {
	key := client.ObjectKey{Namespace: planned.Namespace, Name: planned.Name}
	pod := &corev1.Pod{}
	if err := c.Live.Get(ctx, key, pod); err != nil {
		return nil, fmt.Errorf("read the pod whose container the Job runs: %w", err)
	}
	now, hasDatabase, err := clusterstate.MigrationPod(pod)
	switch {
	case err != nil:
		return nil, err
	case !hasDatabase || now.UID != planned.UID || now.Migration != planned.Migration ||
		now.Requirement.Container != planned.Requirement.Container:
		return nil, fmt.Errorf("pod %q, whose container the Job runs, has changed", key.String())
	case now.Unusable != "":
		return nil, fmt.Errorf("no Job can be made from pod %q: %s", key.String(), now.Unusable)
	}
	return pod, nil
}

// prune deletes migrations.
func (c *Controller) prune(ctx context.Context, snapshot migrate.Snapshot, names []string) error {
	for i := range snapshot.Migrations {
		migration := &snapshot.Migrations[i]
		if !slices.Contains(names, migration.Name) {
			continue
		}
		// With the resource version, the API server keeps a migration that changed after the plan.
		unchanged := client.Preconditions{UID: &migration.UID, ResourceVersion: &migration.ResourceVersion}
		err := c.Client.Delete(ctx, migration, unchanged, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete PluginMigration %q, which no pod requires: %w", qualified(migration), err)
		}
	}
	return nil
}

// qualified returns "namespace/name".
func qualified(object client.Object) string { return client.ObjectKeyFromObject(object).String() }
