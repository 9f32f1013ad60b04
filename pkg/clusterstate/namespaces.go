package clusterstate

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Namespaces reads the labels of namespaces.
type Namespaces struct {
	// Cached reads a cache with the options of NamespacesCache. Live reads the API server.
	Cached, Live client.Reader
}

// NamespacesCache returns the cache options for Namespaces. The cache drops what policies do not use.
func NamespacesCache() cache.ByObject {
	return cache.ByObject{Transform: func(object any) (any, error) {
		if namespace, ok := object.(*corev1.Namespace); ok {
			namespace.ManagedFields, namespace.Annotations = nil, nil
		}
		return object, nil
	}}
}

// Labels returns the labels of a namespace. If the cache does not have the namespace yet, Labels reads it from the API
// server. A namespace that does not exist is an error.
func (n *Namespaces) Labels(ctx context.Context, name string) (map[string]string, error) {
	var namespace corev1.Namespace
	errCached := n.Cached.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	if errCached == nil {
		return namespace.Labels, nil
	}
	if !apierrors.IsNotFound(errCached) {
		return nil, fmt.Errorf("read the labels of namespace %q: %w", name, errCached)
	}
	// A list, because the cache needs the right to list namespaces anyway. A get would need one more right.
	var list corev1.NamespaceList
	if err := n.Live.List(ctx, &list, client.MatchingFields{metav1.ObjectNameField: name}); err != nil {
		return nil, fmt.Errorf("read the labels of namespace %q: %w", name, err)
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("read the labels of namespace %q: %w", name, errCached)
	}
	return list.Items[0].Labels, nil
}
