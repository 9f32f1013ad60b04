package clusterstate

import (
	"context"

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

// HasLibrary reports whether a policy names a namespace as its library.
func (p *NamespacePolicies) HasLibrary(namespace string) bool {
	return p != nil && p.Index.HasLibrary(namespace)
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
