package main

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// cacheOptions returns which objects the manager's cache holds. The process has no rights to watch other objects.
func cacheOptions(options Options) (cache.Options, error) {
	sources, err := clusterstate.SourcesCache(options.WatchNamespaces...)
	if err != nil {
		return cache.Options{}, err
	}
	byObject := map[client.Object]cache.ByObject{&corev1.ConfigMap{}: sources}
	if options.CertProvider != providerFiles {
		byObject[&corev1.Secret{}] = cache.ByObject{Namespaces: map[string]cache.Config{
			options.Namespace: {FieldSelector: byName(options.CertSecret)},
		}}
	}
	if options.CertProvider != providerFiles || options.Policies {
		byObject[&admissionregistrationv1.MutatingWebhookConfiguration{}] = cache.ByObject{
			Field: byName(options.WebhookConfiguration),
		}
	}
	if options.Migrations || options.Policies {
		byObject[&corev1.Pod{}] = clusterstate.InjectedPodsCache(options.WatchNamespaces...)
	}
	if options.Migrations {
		if byObject[&batchv1.Job{}], err = clusterstate.MigrationJobsCache(options.WatchNamespaces...); err != nil {
			return cache.Options{}, err
		}
		byObject[&v1alpha1.PluginMigration{}] = clusterstate.MigrationsCache(options.WatchNamespaces...)
	}
	if options.Policies {
		byObject[&v1alpha1.PluginPolicy{}] = cache.ByObject{}
	}
	if options.Policies || options.NamespaceSelector != "" {
		byObject[&corev1.Namespace{}] = clusterstate.NamespacesCache()
	}
	if err := excludeNamespaces(byObject, options); err != nil {
		return cache.Options{}, err
	}
	return cache.Options{ByObject: byObject}, nil
}

// excludeNamespaces keeps the objects of excluded namespaces out of the caches of the controllers. Labels of namespaces
// do not count here, because they can change.
func excludeNamespaces(byObject map[client.Object]cache.ByObject, options Options) error {
	scope, err := options.scope()
	if err != nil || len(options.WatchNamespaces) > 0 {
		return err
	}
	for object, selected := range byObject {
		switch object.(type) {
		case *corev1.Pod, *batchv1.Job, *v1alpha1.PluginMigration:
			selected.Field = scope.Fields()
			byObject[object] = selected
		}
	}
	return nil
}

// byName selects the object with a name.
func byName(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
