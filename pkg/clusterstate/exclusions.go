package clusterstate

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"kongdao.io/kongdao/pkg/scope"
)

// Exclusions says which namespaces of the cluster an installation excludes.
type Exclusions struct {
	Scope scope.Scope
	// Namespaces reads the labels of namespaces. It can be nil if the scope needs no labels.
	Namespaces *Namespaces
}

// Excludes reports whether kongdao does not work in a namespace. A namespace that does not exist is excluded if the
// scope needs labels.
func (e Exclusions) Excludes(ctx context.Context, namespace string) (bool, error) {
	if !e.Scope.NeedsLabels() || e.Scope.ExcludesName(namespace) {
		return e.Scope.ExcludesName(namespace), nil
	}
	labels, err := e.Namespaces.Labels(ctx, namespace)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, err
	}
	return e.Scope.Excludes(namespace, labels), nil
}
