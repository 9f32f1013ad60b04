package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
)

// kubelet stands for the kubelets of a cluster: it marks pods without gates as running, and lets the pods of Jobs end
// as those of successful migrations.
type kubelet struct {
	admin client.WithWatch
	mutex sync.Mutex
	ran   map[types.NamespacedName]bool
}

func newAdmin(plane *controlplane.ControlPlane) (client.WithWatch, error) {
	return client.NewWithWatch(plane.Config(), client.Options{})
}

func dryRun() client.CreateOption { return client.DryRunAll }

// startKubelet runs a kubelet until the benchmark ends. It must start before the first pod is created.
func startKubelet(b *testing.B, admin client.WithWatch) *kubelet {
	b.Helper()
	k := &kubelet{admin: admin, ran: map[types.NamespacedName]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan *corev1.Pod, 100)
	var workersDone sync.WaitGroup
	for range workers {
		workersDone.Go(func() {
			for pod := range events {
				if err := k.run(ctx, pod); err != nil && ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		})
	}
	workersDone.Go(func() {
		defer close(events)
		for ctx.Err() == nil {
			if err := k.watch(ctx, events); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	})
	b.Cleanup(func() {
		cancel()
		workersDone.Wait()
	})
	return k
}

// watch passes pods to the workers until the watch ends. Each watch begins with all pods.
func (k *kubelet) watch(ctx context.Context, events chan<- *corev1.Pod) error {
	watched, err := k.admin.Watch(ctx, &corev1.PodList{})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer watched.Stop()
	for event := range watched.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		switch {
		case !ok:
			return nil
		case event.Type == watch.Deleted:
			k.setRunning(pod, false)
		case len(pod.Spec.SchedulingGates) == 0 && pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil:
			events <- pod
		}
	}
	return nil
}

// run writes the status of a pod.
func (k *kubelet) run(ctx context.Context, pod *corev1.Pod) error {
	isJob := pod.Labels[batchv1.JobNameLabel] != ""
	if isJob {
		pod.Status.Phase = corev1.PodSucceeded
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Message: "done\n", StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
			}},
		}}
	} else {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
		}
	}
	switch err := k.admin.Status().Update(ctx, pod); {
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err): // the event of that change follows
	case err != nil:
		return fmt.Errorf("run pod %q: %w", client.ObjectKeyFromObject(pod), err)
	case !isJob:
		k.setRunning(pod, true)
	}
	return nil
}

func (k *kubelet) setRunning(pod *corev1.Pod, running bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if key := client.ObjectKeyFromObject(pod); running {
		k.ran[key] = true
	} else {
		delete(k.ran, key)
	}
}

// running returns the number of running pods, without those of Jobs.
func (k *kubelet) running() int {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return len(k.ran)
}
