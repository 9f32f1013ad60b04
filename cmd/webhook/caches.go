package main

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/process"
	"kongdao.io/kongdao/pkg/scope"
)

// cacheOptions returns which objects the manager's cache holds.
func cacheOptions(options Options) (cache.Options, error) {
	sources, err := clusterstate.SourcesCache(options.WatchNamespaces...)
	if err != nil {
		return cache.Options{}, err
	}
	objects := process.CachedObjects{&corev1.ConfigMap{}: sources}
	if options.CertProvider != providerFiles {
		objects[&corev1.Secret{}] = cache.ByObject{Namespaces: map[string]cache.Config{
			options.Namespace: {FieldSelector: process.ByName(options.CertSecret)},
		}}
		objects[&admissionregistrationv1.MutatingWebhookConfiguration{}] = cache.ByObject{
			Field: process.ByName(options.WebhookConfiguration),
		}
		objects[&admissionregistrationv1.ValidatingWebhookConfiguration{}] = cache.ByObject{
			Field: process.ByName(options.WebhookConfiguration),
		}
	}
	if options.Migrations {
		objects[&v1alpha1.PluginMigration{}] = clusterstate.MigrationsCache(options.WatchNamespaces...)
	}
	if options.Policies {
		objects[&v1alpha1.PluginPolicy{}] = cache.ByObject{}
		objects[&corev1.Namespace{}] = clusterstate.NamespacesCache()
	}
	if len(options.WatchNamespaces) == 0 {
		inScope, err := scope.New(options.Namespace, "")
		if err != nil {
			return cache.Options{}, err
		}
		objects.ExcludeNamespaces(inScope)
	}
	return cache.Options{ByObject: objects, NewInformer: clusterstate.PagedInformers(objects)}, nil
}
