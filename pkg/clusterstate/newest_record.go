package clusterstate

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
)

// maxListedPods limits the pods that are read to find what a workload runs.
const maxListedPods = 500

// NewestRecord returns the injection record of the newest injected pod that a selector selects. Without injected pods,
// the record is empty. It reads only the metadata of the pods. The reader should read the API server, not a cache.
func NewestRecord(
	ctx context.Context, reader client.Reader, namespace string, selected labels.Selector,
) (mutate.InjectionRecord, error) {
	isInjected, _ := labels.SelectorFromSet(labels.Set{annotations.Injected: "true"}).Requirements()
	pods := newPodMetadataList()
	err := reader.List(ctx, pods, client.InNamespace(namespace), client.Limit(maxListedPods),
		client.MatchingLabelsSelector{Selector: selected.Add(isInjected...)})
	if err != nil {
		return mutate.InjectionRecord{}, fmt.Errorf("list the pods in namespace %q: %w", namespace, err)
	}
	if len(pods.Items) == 0 {
		return mutate.InjectionRecord{}, nil
	}
	newest := slices.MaxFunc(pods.Items, func(a, b metav1.PartialObjectMetadata) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	record, _ := mutate.ParseInjectionRecord(newest.Annotations) // a forged record says nothing about what runs
	return record, nil
}
