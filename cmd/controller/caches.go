package main

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/process"
)

// cacheOptions returns which objects the manager's cache holds.
func cacheOptions(options Options) (cache.Options, error) {
	sources, err := clusterstate.SourcesCache(options.WatchNamespaces...)
	if err != nil {
		return cache.Options{}, err
	}
	objects := process.CachedObjects{
		&corev1.ConfigMap{}: sources,
		&corev1.Pod{}:       clusterstate.InjectedPodsCache(options.WatchNamespaces...),
	}
	if options.Migrations {
		if objects[&batchv1.Job{}], err = clusterstate.MigrationJobsCache(options.WatchNamespaces...); err != nil {
			return cache.Options{}, err
		}
		objects[&v1alpha1.PluginMigration{}] = clusterstate.MigrationsCache(options.WatchNamespaces...)
	}
	if options.Policies {
		objects[&v1alpha1.PluginPolicy{}] = cache.ByObject{}
		objects[&admissionregistrationv1.MutatingWebhookConfiguration{}] = cache.ByObject{
			Field: process.ByName(options.WebhookConfiguration),
		}
	}
	if options.Policies || options.NamespaceSelector != "" {
		objects[&corev1.Namespace{}] = clusterstate.NamespacesCache()
	}
	if len(options.WatchNamespaces) == 0 {
		inScope, err := options.scope()
		if err != nil {
			return cache.Options{}, err
		}
		objects.ExcludeNamespaces(inScope)
	}
	return cache.Options{ByObject: objects, NewInformer: clusterstate.PagedInformers(objects)}, nil
}
