package migratecontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/migrate"
)

// do does what a plan says. It may end after any step: the next plan goes on.
func (c *Controller) do(ctx context.Context, where clusterstate.DatabaseKey, world migrate.Snapshot, plan migrate.Plan) error {
	if err := c.lift(ctx, plan.Lift); err != nil {
		return err
	}
	// One that cannot be made keeps none of the others back.
	notMade := c.create(ctx, where, plan.Create)
	if plan.Start != nil {
		if err := c.start(ctx, world, plan); err != nil {
			return err
		}
	}
	for i := range world.Records {
		if status, changed := plan.Changes[world.Records[i].Name]; changed {
			if err := c.write(ctx, &world.Records[i], status); err != nil {
				return err
			}
		}
	}
	for i := range world.Records {
		if record := &world.Records[i]; slices.Contains(plan.Forget, record.Name) {
			// The version goes along: whoever has begun to need it has changed it.
			err := c.Client.Delete(ctx, record, client.Preconditions{UID: &record.UID, ResourceVersion: &record.ResourceVersion}, client.PropagationPolicy(metav1.DeletePropagationBackground))
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete PluginMigration %q, which no pod needs any more: %w", where.Namespace+"/"+record.Name, err)
			}
		}
	}
	return notMade
}

// create makes the PluginMigrations of needs.
func (c *Controller) create(ctx context.Context, where clusterstate.DatabaseKey, needs []migrate.Requirement) error {
	var failed []error
	for _, need := range needs {
		record := &v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: where.Namespace, Name: need.MigrationName(), Labels: map[string]string{annotations.Database: where.Database},
			},
			Spec: need.Spec(),
		}
		switch err := c.Client.Create(ctx, record); {
		case apierrors.IsAlreadyExists(err):
			failed = append(failed, fmt.Errorf("PluginMigration %q is there without label %s, by which it is found: give it the value %s, or delete it",
				where.Namespace+"/"+record.Name, annotations.Database, where.Database))
		case err != nil:
			failed = append(failed, fmt.Errorf("make PluginMigration %q: %w", where.Namespace+"/"+record.Name, err))
		default:
			c.Log.Info("a database is to be migrated", "namespace", where.Namespace, "pluginMigration", record.Name, "plugins", record.Spec.Request, "database", record.Spec.Database.Description)
		}
	}
	return errors.Join(failed...)
}

// lifters is how many gates are lifted at once.
const lifters = 8

// lift takes our gate, and no other, from pods (K35).
func (c *Controller) lift(ctx context.Context, pods []migrate.Pod) error {
	work := make(chan migrate.Pod)
	failed := make([]error, lifters)
	var all sync.WaitGroup
	for i := range min(lifters, len(pods)) {
		all.Go(func() {
			for pod := range work {
				err := clusterstate.RemoveGate(ctx, c.Client, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, annotations.MigrationsGate)
				failed[i] = errors.Join(failed[i], err)
			}
		})
	}
	for _, pod := range pods {
		work <- pod
	}
	close(work)
	all.Wait()
	if len(pods) > 0 {
		c.Log.Info("lifted gates", "namespace", pods[0].Namespace, "pods", len(pods))
	}
	return errors.Join(failed...)
}

// start starts a Job and notes that in the plan.
func (c *Controller) start(ctx context.Context, world migrate.Snapshot, plan migrate.Plan) error {
	start := *plan.Start
	at := slices.IndexFunc(world.Records, func(record v1alpha1.PluginMigration) bool { return record.Name == start.Record })
	record := &world.Records[at]
	var pod corev1.Pod
	if err := c.Live.Get(ctx, client.ObjectKey{Namespace: start.From.Namespace, Name: start.From.Name}, &pod); err != nil {
		return fmt.Errorf("read the pod to take the Job's container from: %w", err)
	}
	job, err := migrate.NewJob(record, start, &pod, c.Settings)
	if err != nil {
		return err
	}
	if err := c.Client.Create(ctx, job); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("start Job %q: %w", job.Namespace+"/"+job.Name, err)
	}
	c.Log.Info("started a Job", "namespace", job.Namespace, "job", job.Name, "step", string(start.Step), "mayFinish", string(start.Finish), "from", start.From.Name)
	c.Metrics.jobs.WithLabelValues(string(start.Step)).Inc()
	status, changed := plan.Changes[record.Name]
	if !changed {
		status = *record.Status.DeepCopy()
	}
	migrate.Started(&status, start, job.Name, world.Now)
	plan.Changes[record.Name] = status
	return nil
}

// write writes a record's status, and tells of what went wrong.
func (c *Controller) write(ctx context.Context, record *v1alpha1.PluginMigration, status v1alpha1.PluginMigrationStatus) error {
	before := record.Status.Phase
	record.Status = status
	if err := c.Client.Status().Update(ctx, record); err != nil {
		return fmt.Errorf("write the status of PluginMigration %q: %w", record.Namespace+"/"+record.Name, err)
	}
	if before == status.Phase {
		return nil
	}
	c.Log.Info("a migration goes on", "namespace", record.Namespace, "pluginMigration", record.Name, "phase", string(status.Phase), "was", string(before), "message", status.Message)
	reason := map[v1alpha1.Phase]string{v1alpha1.Failed: "MigrationFailed", v1alpha1.Held: "MigrationHeld"}[status.Phase]
	if reason == "" {
		return nil
	}
	c.Metrics.failures.WithLabelValues(reason).Inc()
	c.tell(record, reason)
	return nil
}

// tell makes Events on the record and on whoever owns the pods that need it:
// nobody else would hear of it.
func (c *Controller) tell(record *v1alpha1.PluginMigration, reason string) {
	c.Events.Warn(record, reason, "Migrate", record.Status.Message)
	told := map[types.UID]bool{}
	for _, kept := range c.Pods.OfDatabase(record.Spec.Database.Key) {
		needs := kept.Namespace == record.Namespace && len(kept.Migration.Requirement.Set) > 0 && kept.Migration.Requirement.MigrationName() == record.Name
		if owner := kept.Owner; needs && owner != nil && !told[owner.UID] {
			told[owner.UID] = true
			c.Events.Warn(events.ReferenceTo(owner, kept.Namespace), reason, "Migrate", fmt.Sprintf("PluginMigration %q: %s", record.Name, record.Status.Message))
		}
	}
}
