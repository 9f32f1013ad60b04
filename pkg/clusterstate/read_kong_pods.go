package clusterstate

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kongPodReader lists and watches pods, and reduces each as soon as it is read. So the memory does not depend on the
// number and size of other pods (fact W6).
type kongPodReader struct{ live client.WithWatch }

// notEnded selects the pods that can still run. A pod that ends is reported as deleted.
const notEnded = "status.phase!=Succeeded,status.phase!=Failed"

// kongPodList is a page of pods.
type kongPodList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []KongPod
}

// DeepCopyObject implements runtime.Object.
func (l *kongPodList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = slices.Clone(l.Items)
	return &copied
}

func (r kongPodReader) listWatch() *toolscache.ListWatch {
	return &toolscache.ListWatch{ListWithContextFunc: r.list, WatchFuncWithContext: r.watch}
}

// list reads a page of pods.
func (r kongPodReader) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.FieldSelector = notEnded
	if options.ResourceVersion == "0" {
		options.ResourceVersion = "" // API servers ignore the limit for lists from their cache
	}
	var page corev1.PodList
	if err := r.live.List(ctx, &page, &client.ListOptions{
		Limit: options.Limit, Continue: options.Continue, Raw: &options,
	}); err != nil {
		return nil, err
	}
	reduced := &kongPodList{ListMeta: page.ListMeta}
	for i := range page.Items {
		if pod, counts := reduceKongPod(&page.Items[i]); counts {
			reduced.Items = append(reduced.Items, *pod)
		}
	}
	return reduced, nil
}

// watch watches pods. A pod that does not count is reported as deleted.
func (r kongPodReader) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.FieldSelector = notEnded
	watched, err := r.live.Watch(ctx, &corev1.PodList{}, &client.ListOptions{Raw: &options})
	if err != nil {
		return nil, err
	}
	return watch.Filter(watched, func(event watch.Event) (watch.Event, bool) {
		pod, ok := event.Object.(*corev1.Pod)
		switch {
		case !ok: // an error
		case event.Type == watch.Bookmark:
			event.Object = &KongPod{ObjectMeta: pod.ObjectMeta}
		default:
			reduced, counts := reduceKongPod(pod)
			event.Object = reduced
			if !counts {
				event.Type = watch.Deleted
			}
		}
		return event, true
	}), nil
}
