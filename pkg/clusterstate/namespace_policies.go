package clusterstate

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/policy"
)

// LabelReader reads the labels of a namespace.
type LabelReader interface {
	Labels(ctx context.Context, namespace string) (map[string]string, error)
}

// NamespacePolicies finds the policies of a namespace. A nil NamespacePolicies has none.
type NamespacePolicies struct {
	Index      *policy.Index
	Namespaces LabelReader
}

// UsersOf returns the namespace whose pods can use the sources of a namespace. It is "" for all namespaces, if the
// namespace is a library.
func (p *NamespacePolicies) UsersOf(namespace string) string {
	if p != nil && p.Index.HasLibrary(namespace) {
		return metav1.NamespaceAll
	}
	return namespace
}

// Of returns the policies that select a namespace. If the cluster has no policies, it does not read the labels.
func (p *NamespacePolicies) Of(ctx context.Context, namespace string) ([]*policy.Policy, error) {
	if p == nil || p.Index.Len() == 0 {
		return nil, nil
	}
	labels, err := p.Namespaces.Labels(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return p.Index.Of(namespace, labels), nil
}
