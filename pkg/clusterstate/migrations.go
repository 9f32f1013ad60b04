package clusterstate

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
)

// Migrations reads PluginMigrations from a cache.
type Migrations struct {
	cached client.Reader
	synced func() bool
}

// MigrationsCache returns the cache options that NewMigrations needs.
func MigrationsCache(namespaces ...string) cache.ByObject {
	return cache.ByObject{Namespaces: inNamespaces(namespaces), Transform: cache.TransformStripManagedFields()}
}

// MigrationJobsCache returns the cache options for Jobs. The cache selects the Jobs of PluginMigrations.
func MigrationJobsCache(namespaces ...string) (cache.ByObject, error) {
	hasMigration, err := labels.NewRequirement(annotations.Migration, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{}, fmt.Errorf("select Jobs by label %s: %w", annotations.Migration, err)
	}
	return cache.ByObject{
		Label:      labels.NewSelector().Add(*hasMigration),
		Namespaces: inNamespaces(namespaces),
		Transform:  cache.TransformStripManagedFields(),
	}, nil
}

// NewMigrations returns Migrations that read PluginMigrations through cached, which must read from the same cache as
// the informers.
func NewMigrations(ctx context.Context, informers cache.Informers, cached client.Reader) (*Migrations, error) {
	informer, err := informers.GetInformer(ctx, &v1alpha1.PluginMigration{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch PluginMigrations: %w", err)
	}
	return &Migrations{cached: cached, synced: informer.HasSynced}, nil
}

// Migrated returns the PluginMigrations of a namespace that are migrated. The namespace "" stands for all namespaces.
func (m *Migrations) Migrated(ctx context.Context, namespace string) ([]v1alpha1.PluginMigration, error) {
	var list v1alpha1.PluginMigrationList
	if err := m.cached.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list PluginMigrations: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(migration v1alpha1.PluginMigration) bool {
		return !migrate.IsMigrated(&migration)
	}), nil
}

// IsMigrated reports whether a PluginMigration is known to be migrated, so that the pods that need it can start. It
// returns false while the cache is not synced: the pods then wait until the controller has read the PluginMigration.
func (m *Migrations) IsMigrated(ctx context.Context, namespace, name string) (bool, error) {
	if !m.synced() {
		return false, nil
	}
	var migration v1alpha1.PluginMigration
	err := m.cached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &migration)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read PluginMigration %q: %w", namespace+"/"+name, err)
	}
	return migrate.IsMigrated(&migration), nil
}
