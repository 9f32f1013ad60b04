package process

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/scope"
)

// CachedObjects are the objects that a manager's cache holds. A process has no permission to watch other objects.
type CachedObjects map[client.Object]cache.ByObject

// ExcludeNamespaces keeps the pods, Jobs and PluginMigrations of excluded namespaces out of the cache. Labels of
// namespaces do not count here, because they can change.
func (c CachedObjects) ExcludeNamespaces(scope scope.Scope) {
	for object, selected := range c {
		switch object.(type) {
		case *corev1.Pod, *batchv1.Job, *v1alpha1.PluginMigration:
			selected.Field = scope.Fields()
			c[object] = selected
		}
	}
}

// ByName selects the object with a name.
func ByName(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
