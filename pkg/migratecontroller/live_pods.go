package migratecontroller

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/migrate"
)

// livePods are the pods of a namespace as the API server has them. They include pods that no watch reports: those that
// were never injected, and those of Jobs that were deleted.
type livePods struct {
	namespace string
	// users are the pods that use the database.
	users []migrate.Pod
	// orphans are the pods of deleted Jobs.
	orphans []migrate.Job
}

// readLivePods reads all pods of a namespace. A Job must not start from what the index shows: a watch can be late, and
// what a Job does to a database cannot be undone.
func (c *Controller) readLivePods(ctx context.Context, key clusterstate.DatabaseKey) (*livePods, error) {
	live := &livePods{namespace: key.Namespace}
	var users []*clusterstate.InjectedPod
	for pod, err := range clusterstate.PodsIn(ctx, c.Live, key.Namespace) {
		if err != nil {
			return nil, fmt.Errorf("read the pods that may use database %q in namespace %q: %w",
				key.Database, key.Namespace, err)
		}
		if pod.Labels[annotations.Injected] != "true" && isRunner(pod, key) {
			live.orphans = append(live.orphans, migrate.Job{
				Step: migrate.Step(pod.Labels[annotations.Step]), OrphanedPod: pod.Name,
			})
			continue
		}
		user, hasDatabase, err := clusterstate.ReadPod(pod)
		if err != nil {
			return nil, err
		}
		if hasDatabase && user.Migration.Requirement.Database.Key == key.Database {
			users = append(users, user)
		}
	}
	live.users = c.withNames(users)
	return live, nil
}

// replaceIn replaces the pods of the namespace in a snapshot.
func (l *livePods) replaceIn(snapshot *migrate.Snapshot) {
	others := slices.DeleteFunc(slices.Clone(snapshot.Pods), func(pod migrate.Pod) bool {
		return pod.Namespace == l.namespace
	})
	snapshot.Pods = append(others, l.users...)
	snapshot.Jobs = append(snapshot.Jobs, l.orphans...)
}

// isRunner reports whether a pod belongs to one of our Jobs on a database and its Kong has not ended. A mirror pod does
// not: a kubelet can create it with any labels (fact P4).
func isRunner(pod *corev1.Pod, key clusterstate.DatabaseKey) bool {
	_, isMirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return !isMirror && pod.Labels[annotations.Database] == key.Database && pod.Labels[annotations.Step] != "" &&
		!clusterstate.HasEnded(pod) && kongEnd(pod) == nil
}
