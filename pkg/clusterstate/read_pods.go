package clusterstate

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// podPageSize bounds what one read holds of pods.
const podPageSize = 200

// In yields all pods of a namespace, injected or not, read page by page; an error
// is the last that it yields.
func PodsIn(ctx context.Context, reader client.Reader, namespace string) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		page := &corev1.PodList{}
		for {
			if err := reader.List(ctx, page, client.InNamespace(namespace), client.Limit(podPageSize), client.Continue(page.Continue)); err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Items {
				if !yield(&page.Items[i], nil) {
					return
				}
			}
			if page.Continue == "" {
				return
			}
		}
	}
}

// View is what the core sees of a pod that is there.
func DecodePod(pod *corev1.Pod) (mutate.Pod, error) {
	text, err := json.Marshal(pod)
	if err != nil {
		return mutate.Pod{}, fmt.Errorf("read pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	view, err := mutate.DecodePod(text)
	if err != nil {
		return mutate.Pod{}, fmt.Errorf("read pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	return view, nil
}

// HasEnded reports whether a pod runs no more, and will not again.
func HasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// AwaitsCopies reports whether a pod waits for copies of libraries' releases.
func AwaitsCopies(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: annotations.LibraryGate})
}

// RemoveGate takes one of our gates, and no other (K35), from a pod; one that is gone
// needs none.
func RemoveGate(ctx context.Context, writer client.Writer, key types.NamespacedName, gate string) error {
	patch := client.RawPatch(types.StrategicMergePatchType, []byte(`{"spec":{"schedulingGates":[{"$patch":"delete","name":"`+gate+`"}]}}`))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := writer.Patch(ctx, pod, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("lift the gate of pod %q: %w", key.String(), err)
	}
	return nil
}
