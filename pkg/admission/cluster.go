package admission

import (
	"context"
	"maps"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
)

// Cluster is the state of the cluster that the handlers decide by.
type Cluster struct {
	Sources *clusterstate.Sources
	// Live reads the API server, not a cache.
	Live client.Reader
	// Policies is nil if PluginPolicies are disabled.
	Policies *clusterstate.NamespacePolicies
	// Effects may be nil.
	Effects EffectsRecorder
	// Migrations is nil if migrations are disabled. Then no pod waits for a migration.
	Migrations MigrationReader
	// RequiresMigrations denies pods with migrations that kongdao cannot run.
	RequiresMigrations bool
	// RunsRollouts reports whether the controller moves workloads to new releases.
	RunsRollouts bool

	confirmed confirmations
}

// MigrationReader reads PluginMigrations from a cache.
type MigrationReader interface {
	// IsMigrated reports whether a PluginMigration is known to be migrated.
	IsMigrated(ctx context.Context, namespace, name string) (bool, error)
	// Migrated returns the PluginMigrations of a namespace, or of all namespaces, that are migrated.
	Migrated(ctx context.Context, namespace string) ([]v1alpha1.PluginMigration, error)
}

// admitPod decides about a pod that is created. The decision includes the pod's scheduling gates.
func (c *Cluster) admitPod(ctx context.Context, pod decision.Pod) (decision.Decision, error) {
	facts := decision.Cluster{HasCopies: c.Sources.HasCopies}
	if c.Migrations != nil {
		facts.IsMigrated = func(namespace, name string) (bool, error) {
			return c.Migrations.IsMigrated(ctx, namespace, name)
		}
	}
	decision, err := c.admit(ctx, pod, facts)
	if err == nil && len(decision.Unpinned) > 0 {
		return c.pinToSiblings(ctx, pod, decision, facts), nil
	}
	return decision, err
}

// admitTemplate decides about a pod template. A template gets no scheduling gates.
func (c *Cluster) admitTemplate(ctx context.Context, template decision.Pod) (decision.Decision, error) {
	return c.admit(ctx, template, decision.Cluster{})
}

// admit applies decision.Admit to the policies and releases in the cache. If the cache lacks releases, admit reads them
// from the API server and decides again. The cache may not have a new ConfigMap yet when a pod that uses it is created.
// An error means that the cluster could not be read. It is not a decision about the pod.
func (c *Cluster) admit(ctx context.Context, pod decision.Pod, facts decision.Cluster) (decision.Decision, error) {
	var err error
	if facts.Policies, err = c.Policies.Of(ctx, pod.Namespace); err != nil {
		return decision.Decision{}, err
	}
	facts.Releases = c.Sources.Releases
	facts.RunsMigrations, facts.RequiresMigrations = c.Migrations != nil, c.RequiresMigrations
	cached, err := decision.Admit(pod, facts)
	if err != nil || len(cached.NotFound) == 0 {
		return cached, err
	}
	notFound := c.readable(cached.NotFound) // the function below must not keep the whole decision in memory
	if len(notFound) == 0 {
		return cached, nil
	}
	keys := keysOf(notFound)
	c.confirmed.follow(c.Sources)
	if c.confirmed.hold(ctx, keys) {
		return cached, nil
	}
	events := c.confirmed.events()
	live, err := c.readSources(ctx, notFound)
	if err != nil {
		return decision.Decision{}, err
	}
	c.confirm(keys, live, events)
	facts.Releases = func(namespace, plugin string) []*catalog.Release {
		if notFound[namespace].Has(plugin) {
			return live.Releases(namespace, plugin)
		}
		return c.Sources.Releases(namespace, plugin)
	}
	return decision.Admit(pod, facts)
}

// readable returns the plugins, given by namespace, that a read from the API server can find. In a namespace over its
// limits, the read would find too much.
func (c *Cluster) readable(plugins map[string]sets.Set[string]) map[string]sets.Set[string] {
	maps.DeleteFunc(plugins, func(namespace string, _ sets.Set[string]) bool { return c.Sources.IsOverLimit(namespace) })
	return plugins
}

// readSources reads the sources of plugins from the API server. The plugins are given by namespace.
func (c *Cluster) readSources(ctx context.Context, plugins map[string]sets.Set[string]) (*catalog.Index, error) {
	ctx, cancel := withLiveReadDeadline(ctx)
	defer cancel()
	live := &catalog.Index{}
	for namespace, names := range plugins {
		if err := clusterstate.ReadSources(ctx, c.Live, live, namespace, sets.List(names)); err != nil {
			return nil, err
		}
	}
	return live, nil
}
