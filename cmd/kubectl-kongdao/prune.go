package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/prune"
	"kongdao.io/kongdao/pkg/uses"
)

const pruneLong = `Delete old releases that nothing uses, from the ConfigMaps of a namespace.

A release stays if a pod, a pod template or a PluginMigration uses it, or a workload can be rolled back to it. The newest
releases stay too, and releases with mutable ConfigMaps. If the namespace is the library of a policy, prune looks at all
namespaces. It does not see manifests outside the cluster.`

const pruneExample = `  # Show which releases are deleted
  kubectl kongdao prune -n kong --dry-run

  # Delete old releases of dao-test, except the three newest
  kubectl kongdao prune dao-test -n kong --keep 3`

// pruner deletes releases in a namespace.
type pruner struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	namespace string
	keep      int
	dryRun    bool
}

func newPruneCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	p := &pruner{streams: streams}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "prune [PLUGIN...]",
		Short:   "Delete old releases that nothing uses",
		Long:    pruneLong,
		Example: pruneExample,
		RunE: func(command *cobra.Command, plugins []string) error {
			var err error
			if p.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if p.client, err = connection.connect(streams); err != nil {
				return err
			}
			return p.run(command.Context(), plugins)
		},
	}
	flags := command.Flags()
	flags.IntVar(&p.keep, "keep", 1, "How many of the newest releases of each plugin stay, at least 1")
	flags.BoolVar(&p.dryRun, "dry-run", false, "Show what is deleted, and delete nothing")
	connection.add(flags, namespaces)
	return command
}

// run prunes plugins, or all plugins of the namespace.
func (p *pruner) run(ctx context.Context, plugins []string) error {
	sources, err := p.readSources(ctx)
	if err != nil {
		return err
	}
	index := &catalog.Index{}
	for i := range sources {
		index.Put(catalog.NewSource(&sources[i]))
	}
	if len(plugins) == 0 {
		plugins = index.Plugins(p.namespace)
	}
	slices.Sort(plugins)
	used, err := p.readUses(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, plugin := range plugins {
		releases := index.Releases(p.namespace, plugin)
		if len(releases) == 0 {
			errs = append(errs, fmt.Errorf("plugin %q: namespace %q has no release of it", plugin, p.namespace))
		}
		for _, decision := range prune.Decide(releases, used, p.keep) {
			fmt.Fprintln(p.streams.Out, decision)
			if decision.Keep == "" && !p.dryRun {
				errs = append(errs, p.delete(ctx, sources, decision.Release))
			}
		}
	}
	return errors.Join(errs...)
}

// readSources reads the sources of the namespace.
func (p *pruner) readSources(ctx context.Context) ([]corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	err := p.client.List(ctx, &list, client.InNamespace(p.namespace), client.HasLabels{annotations.Plugin})
	if err != nil {
		return nil, fmt.Errorf("list the ConfigMaps labelled %s in namespace %q: %w", annotations.Plugin, p.namespace, err)
	}
	return list.Items, nil
}

// delete deletes the ConfigMaps of a release, unless they have changed.
func (p *pruner) delete(ctx context.Context, sources []corev1.ConfigMap, release *catalog.Release) error {
	var errs []error
	for i := range sources {
		source := &sources[i]
		if !slices.ContainsFunc(release.Sources, func(ref catalog.SourceRef) bool { return ref.Name == source.Name }) {
			continue
		}
		same := client.Preconditions{UID: &source.UID, ResourceVersion: &source.ResourceVersion}
		if err := client.IgnoreNotFound(p.client.Delete(ctx, source, same)); err != nil {
			errs = append(errs, fmt.Errorf("delete ConfigMap %q: %w", source.Namespace+"/"+source.Name, err))
		}
	}
	return errors.Join(errs...)
}

// readUses reads what uses releases of the namespace. A library has users in all namespaces.
func (p *pruner) readUses(ctx context.Context) ([]prune.Use, error) {
	scope := p.namespace
	isLibrary, err := isLibrary(ctx, p.client, p.namespace)
	if err != nil {
		return nil, err
	}
	if isLibrary {
		scope = ""
	}
	return uses.Read(ctx, p.client, scope)
}

// isLibrary reports whether a policy names a namespace as its library.
func isLibrary(ctx context.Context, reader client.Reader, namespace string) (bool, error) {
	list, err := listPolicies(ctx, reader)
	if err != nil {
		return false, err
	}
	for i := range list {
		if list[i].Spec.Library == namespace {
			return true, nil
		}
	}
	return false, nil
}
