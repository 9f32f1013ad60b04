package migratecontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

// gather is the world of a place, its records and Jobs read through a reader.
func (c *Controller) gather(ctx context.Context, reader client.Reader, where clusterstate.DatabaseKey) (migrate.Snapshot, error) {
	world := migrate.Snapshot{Namespace: where.Namespace, Now: metav1.Now(), History: c.Settings.History}
	ours := []client.ListOption{client.InNamespace(where.Namespace), client.MatchingLabels{annotations.Database: where.Database}}
	var records v1alpha1.PluginMigrationList
	var jobs batchv1.JobList
	if err := errors.Join(reader.List(ctx, &records, ours...), reader.List(ctx, &jobs, ours...)); err != nil {
		return world, fmt.Errorf("read what there is of database %q in namespace %q: %w", where.Database, where.Namespace, err)
	}
	for _, record := range records.Items {
		if record.DeletionTimestamp == nil {
			world.Records = append(world.Records, record)
		}
	}
	for i := range jobs.Items {
		job, err := c.jobOf(ctx, &jobs.Items[i], world.Records)
		if err != nil {
			return world, err
		}
		world.Jobs = append(world.Jobs, job)
	}
	for _, kept := range c.Pods.OfDatabase(where.Database) {
		pod := kept.Migration
		pod.Requirement.Set = pod.Requirement.Set.Named(func(plugin string) []*catalog.Release {
			return c.Sources.Releases(kept.SourceNamespace(plugin), plugin)
		})
		world.Pods = append(world.Pods, pod)
	}
	return world, nil
}

// addUnwatched adds to a world what only a look at every pod of its namespace
// shows: pods that were never injected and whose Kong uses the database all the
// same, which too are older ones; and pods that migrate it still.
func (c *Controller) addUnwatched(ctx context.Context, where clusterstate.DatabaseKey, world *migrate.Snapshot) error {
	for pod, err := range clusterstate.PodsIn(ctx, c.Live, where.Namespace) {
		if err != nil {
			return fmt.Errorf("look for other pods on database %q in namespace %q: %w", where.Database, where.Namespace, err)
		}
		if err := addPod(pod, where, world); err != nil {
			return err
		}
	}
	return nil
}

func addPod(pod *corev1.Pod, where clusterstate.DatabaseKey, world *migrate.Snapshot) error {
	switch {
	case pod.Labels[annotations.Injected] == "true":
		return nil // the index has it
	case migrates(pod, where):
		// A Job that was deleted with its record may be gone before its pod is.
		world.Jobs = append(world.Jobs, migrate.Job{Step: migrate.Step(pod.Labels[annotations.Step]), Pod: pod.Name})
		return nil
	}
	read, counts, err := clusterstate.MigrationPod(pod)
	if err == nil && counts && read.Requirement.Database.Key == where.Database {
		world.Pods = append(world.Pods, read)
	}
	return err
}

// migrates says whether a pod is one of our Jobs', for a database, and has not ended.
func migrates(pod *corev1.Pod, where clusterstate.DatabaseKey) bool {
	return !clusterstate.HasEnded(pod) && pod.Labels[annotations.Database] == where.Database && pod.Labels[annotations.Step] != ""
}

// mostAttempts is more than a record ever has: one every five minutes, for years.
const mostAttempts = 1 << 20

// jobOf is what a plan has to know of a Job.
func (c *Controller) jobOf(ctx context.Context, job *batchv1.Job, records []v1alpha1.PluginMigration) (migrate.Job, error) {
	read := migrate.Job{Name: job.Name, Step: migrate.Step(job.Labels[annotations.Step])}
	attempt, err := strconv.ParseInt(job.Labels[annotations.Attempt], 10, 32)
	if err != nil || attempt < 0 || attempt > mostAttempts {
		attempt = 0 // somebody has changed the label: it is busy, and nobody's
	}
	read.Attempt = int32(attempt)
	at := slices.IndexFunc(records, func(record v1alpha1.PluginMigration) bool { return metav1.IsControlledBy(job, &record) })
	if at >= 0 {
		read.Record = records[at].Name
	}
	read.Done = slices.ContainsFunc(job.Status.Conditions, func(condition batchv1.JobCondition) bool {
		return (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue
	})
	if at < 0 {
		return read, nil
	}
	// Only of the Job that the record's status is about anything more is asked.
	phase := records[at].Status.Phase
	if running := phase == v1alpha1.Migrating || phase == v1alpha1.Finishing; !running && read.Attempt <= records[at].Status.Attempts {
		return read, nil
	}
	return read, c.addResult(ctx, job, &read)
}

// addResult adds what a Job's pods say.
func (c *Controller) addResult(ctx context.Context, job *batchv1.Job, read *migrate.Job) error {
	if waits, known := c.looks.recent(job.UID); known && !read.Done {
		read.Waits = waits
		return nil
	}
	var pods corev1.PodList
	if err := c.Live.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
		return fmt.Errorf("read the pods of Job %q: %w", job.Namespace+"/"+job.Name, err)
	}
	// A copy of one may bear the label too.
	pods.Items = slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !metav1.IsControlledBy(&pod, job) })
	if len(pods.Items) == 0 {
		if read.Done {
			read.Result = migrate.ParseResult(failureOf(job))
		} else {
			c.looks.remember(job.UID, "")
		}
		return nil
	}
	last := slices.MaxFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	if !read.Done {
		read.Waits = waits(&last)
		c.looks.remember(job.UID, read.Waits)
		return nil
	}
	// Of several the one counts that came to say something.
	message := ""
	for i := range pods.Items {
		if said := terminated(&pods.Items[i]); said != "" && (message == "" || pods.Items[i].Name == last.Name) {
			message = said
		}
	}
	if message == "" {
		message = failureOf(job)
	}
	read.Result = migrate.ParseResult(message)
	return nil
}

// terminated is what a pod's container left when it ended.
func terminated(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil {
			if message := strings.TrimSpace(ended.Message); message != "" {
				return message
			}
			return fmt.Sprintf("%s, exit code %d", ended.Reason, ended.ExitCode)
		}
	}
	return ""
}

// waits says why a pod does not run yet, "" where it does.
func waits(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return strings.TrimSpace(waiting.Reason + " " + waiting.Message)
		}
	}
	return ""
}

// failureOf is what the Job itself says of its end.
func failureOf(job *batchv1.Job) string {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobFailed {
			return condition.Message
		}
	}
	return ""
}
