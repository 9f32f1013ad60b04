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
		byObject[&corev1.Namespace{}] = clusterstate.NamespacesCache()
	}
	return cache.Options{ByObject: byObject}, nil
}

// byName selects the object with a name.
func byName(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
