package clusterstate

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// podPageSize limits the pods in one read.
const podPageSize = 200

// PodsIn iterates over the pods of a namespace, injected or not, or of all namespaces if it is "". The options select
// pods. It reads them page by page. An error is the last element.
func PodsIn(
	ctx context.Context, reader client.Reader, namespace string, options ...client.ListOption,
) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		page := &corev1.PodList{}
		for {
			err := reader.List(ctx, page, append([]client.ListOption{
				client.InNamespace(namespace), client.Limit(podPageSize), client.Continue(page.Continue),
			}, options...)...)
			if err != nil {
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

// PodView converts a pod from the API server to the view that the core uses.
func PodView(pod *corev1.Pod) (mutate.Pod, error) {
	text, err := json.Marshal(pod)
	if err != nil {
		return mutate.Pod{}, fmt.Errorf("encode pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	view, err := mutate.DecodePod(text)
	if err != nil {
		return mutate.Pod{}, fmt.Errorf("decode pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	return view, nil
}

// HasEnded reports whether a pod has terminated and will not run again.
func HasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// AwaitsCopies reports whether a pod waits for copies of libraries' releases.
func AwaitsCopies(pod *corev1.Pod) bool {
	return slices.Contains(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: annotations.LibraryGate})
}
