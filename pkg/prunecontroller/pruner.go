// Package prunecontroller deletes old releases that nothing uses, from time to time. Package prune decides, as for
// "kubectl kongdao prune".
package prunecontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/prune"
	"kongdao.io/kongdao/pkg/uses"
)

// Pruner deletes old releases.
type Pruner struct {
	// Client writes to the API server, and Live reads it.
	Client     client.Client
	Live       client.Reader
	Sources    *clusterstate.Sources
	Exclusions clusterstate.Exclusions
	// Policies is nil if PluginPolicies are disabled.
	Policies *clusterstate.NamespacePolicies
	Events   *events.Recorder
	Log      logr.Logger
	Now      func() time.Time
	// Keep is how many of the newest releases of each plugin stay. MinAge is the age of the releases that may go. A
	// manifest that is not applied yet can name a new release. Interval is the time between two runs.
	Keep     int
	MinAge   time.Duration
	Interval time.Duration
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (p *Pruner) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable. It prunes until ctx ends.
func (p *Pruner) Start(ctx context.Context) error {
	ticker := time.NewTicker(p.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := p.prune(ctx); err != nil && ctx.Err() == nil {
				p.Log.Error(err, "prune releases")
			}
		}
	}
}

// prune deletes the releases that may go, in all namespaces.
func (p *Pruner) prune(ctx context.Context) error {
	var errs []error
	for _, namespace := range p.Sources.Namespaces() {
		if excluded, err := p.Exclusions.Excludes(ctx, namespace); err != nil || excluded {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, p.pruneNamespace(ctx, namespace))
	}
	return errors.Join(errs...)
}

// pruneNamespace deletes the releases of a namespace that may go. It reads what uses them only if there are candidates.
func (p *Pruner) pruneNamespace(ctx context.Context, namespace string) error {
	plugins := p.Sources.Plugins(namespace)
	slices.Sort(plugins)
	hasCandidates := slices.ContainsFunc(plugins, func(plugin string) bool {
		return len(prunable(prune.Decide(p.Sources.Releases(namespace, plugin), nil, p.Keep))) > 0
	})
	if !hasCandidates {
		return nil
	}
	used, err := uses.Read(ctx, p.Live, p.Policies.UsersOf(namespace))
	if err != nil {
		return fmt.Errorf("prune the releases of namespace %q: %w", namespace, err)
	}
	var errs []error
	for _, plugin := range plugins {
		for _, decision := range prunable(prune.Decide(p.Sources.Releases(namespace, plugin), used, p.Keep)) {
			errs = append(errs, p.delete(ctx, namespace, decision.Release))
		}
	}
	return errors.Join(errs...)
}

// prunable returns the decisions to delete.
func prunable(decisions []prune.Decision) []prune.Decision {
	return slices.DeleteFunc(decisions, func(decision prune.Decision) bool { return decision.Keep != "" })
}

// delete deletes the ConfigMaps of a release, unless one of them is too new, or is not what the cache has.
func (p *Pruner) delete(ctx context.Context, namespace string, release *catalog.Release) error {
	ref := annotations.PluginRef{Name: release.Plugin, Version: release.Version}
	var sources []metav1.PartialObjectMetadata
	for _, source := range release.Sources {
		var current metav1.PartialObjectMetadata
		current.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
		if err := p.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: source.Name}, &current); err != nil {
			return client.IgnoreNotFound(err) // the cache is old
		}
		labels := current.Labels
		isOfRelease := labels[annotations.Plugin] == ref.Name && labels[annotations.PluginVersion] == ref.Version
		if !isOfRelease || p.Now().Sub(current.CreationTimestamp.Time) < p.MinAge {
			return nil
		}
		sources = append(sources, current)
	}
	for i := range sources {
		source := &sources[i]
		same := client.Preconditions{UID: &source.UID, ResourceVersion: &source.ResourceVersion}
		if err := p.Client.Delete(ctx, source, same); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete ConfigMap %q of release %q: %w", namespace+"/"+source.Name, ref, err)
		}
		p.Log.Info("deleted an unused release", "namespace", namespace, "configMap", source.Name, "release", ref.String())
		p.Events.Inform(&corev1.ObjectReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: source.Name, UID: source.UID,
		}, "ReleasePruned", "DeleteRelease", fmt.Sprintf("nothing uses release %q, and newer releases exist", ref))
	}
	return nil
}
