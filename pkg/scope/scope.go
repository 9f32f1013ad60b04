// Package scope says in which namespaces an installation of kongdao works. The webhook, the caches, the controllers and
// the counts use this one definition. Package scope is pure.
package scope

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// systemNamespace has the system pods of the cluster. They must start without kongdao.
const systemNamespace = metav1.NamespaceSystem

// Scope is all namespaces except kube-system, the installation's own, and those that the installation's selector does
// not match. The zero value excludes only kube-system.
type Scope struct {
	own      string
	selector labels.Selector
}

// New returns the scope of an installation in a namespace. The selector is a label selector as text: "team=gateways,
// stage notin (test)". It is that of the installation's webhooks. An empty one selects all namespaces.
func New(own, selector string) (Scope, error) {
	scope := Scope{own: own}
	if selector == "" {
		return scope, nil
	}
	parsed, err := labels.Parse(selector)
	if err != nil {
		return Scope{}, fmt.Errorf("namespace selector %q: %w", selector, err)
	}
	scope.selector = parsed
	return scope, nil
}

// Excludes reports whether kongdao does not work in a namespace with these labels.
func (s Scope) Excludes(namespace string, namespaceLabels map[string]string) bool {
	return s.ExcludesName(namespace) || s.selector != nil && !s.selector.Matches(labels.Set(namespaceLabels))
}

// ExcludesName reports whether kongdao does not work in a namespace with any labels.
func (s Scope) ExcludesName(namespace string) bool {
	return namespace == systemNamespace || s.own != "" && namespace == s.own
}

// NeedsLabels reports whether the labels of a namespace matter.
func (s Scope) NeedsLabels() bool { return s.selector != nil }

// Fields selects the objects in namespaces that ExcludesName does not exclude, for caches of the whole cluster.
func (s Scope) Fields() fields.Selector {
	const field = "metadata.namespace"
	selector := fields.OneTermNotEqualSelector(field, systemNamespace)
	if s.own != "" && s.own != systemNamespace {
		selector = fields.AndSelectors(selector, fields.OneTermNotEqualSelector(field, s.own))
	}
	return selector
}
