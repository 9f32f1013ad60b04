package clusterstate

import (
	"context"
	"fmt"
	"iter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// metadataPageSize limits the pods in one read of metadata.
const metadataPageSize = 500

// newPodMetadataList returns an empty list of pods, of which only the metadata is read.
func newPodMetadataList() *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	return list
}

// PodMetadata iterates over the metadata of the pods in a namespace, or in all namespaces if it is "". The options
// select pods. It reads them page by page. An error is the last element.
func PodMetadata(
	ctx context.Context, reader client.Reader, namespace string, options ...client.ListOption,
) iter.Seq2[*metav1.PartialObjectMetadata, error] {
	return func(yield func(*metav1.PartialObjectMetadata, error) bool) {
		next := ""
		for {
			page := newPodMetadataList()
			err := reader.List(ctx, page, append([]client.ListOption{
				client.InNamespace(namespace), client.Limit(metadataPageSize), client.Continue(next),
			}, options...)...)
			if err != nil {
				yield(nil, fmt.Errorf("list pods: %w", err))
				return
			}
			for i := range page.Items {
				if !yield(&page.Items[i], nil) {
					return
				}
			}
			if next = page.Continue; next == "" {
				return
			}
		}
	}
}
