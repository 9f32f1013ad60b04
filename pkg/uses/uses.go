// Package uses reads what uses releases: pods, pod templates with their older versions, and PluginMigrations. Package
// prune decides by it.
package uses

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/prune"
	"kongdao.io/kongdao/pkg/workloads"
)

// Read returns what uses releases in a namespace, or in all namespaces if it is "". Of pods, it reads the metadata.
func Read(ctx context.Context, reader client.Reader, namespace string) ([]prune.Use, error) {
	var uses []prune.Use
	for pod, err := range clusterstate.PodMetadata(ctx, reader, namespace) {
		if err != nil {
			return nil, err
		}
		uses = append(uses, prune.UsesOf(pod.Annotations, fmt.Sprintf("Pod %q", pod.Namespace+"/"+pod.Name))...)
	}
	// ReplicaSets and ControllerRevisions hold the older templates, to which a workload can be rolled back.
	kinds := slices.Concat(workloads.Kinds(), workloads.OlderKinds())
	for object, err := range workloads.All(ctx, reader, namespace, kinds) {
		if err != nil {
			return nil, err
		}
		uses = append(uses, prune.UsesOf(workloads.Template(object).Annotations, workloads.Describe(object))...)
	}
	migrations, err := ReadMigrations(ctx, reader, namespace)
	if err != nil {
		return nil, err
	}
	return append(uses, ofMigrations(migrations)...), nil
}

// ReadMigrations reads the PluginMigrations in a namespace, or in all if it is "". A cluster may have no such kind.
func ReadMigrations(
	ctx context.Context, reader client.Reader, namespace string,
) ([]v1alpha1.PluginMigration, error) {
	var list v1alpha1.PluginMigrationList
	err := reader.List(ctx, &list, client.InNamespace(namespace))
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("list PluginMigrations: %w", err)
	}
	return list.Items, nil
}

// ofMigrations returns the releases that unfinished migrations need. Nothing has to run with those of finished ones.
func ofMigrations(migrations []v1alpha1.PluginMigration) []prune.Use {
	var uses []prune.Use
	for i := range migrations {
		migration := &migrations[i]
		if migration.Status.Phase == v1alpha1.PhaseFinished {
			continue
		}
		for _, plugin := range migration.Spec.Plugins {
			uses = append(uses, prune.Use{
				Release: annotations.PluginRef{Name: plugin.Name, Version: plugin.Version},
				By:      fmt.Sprintf("PluginMigration %q", migration.Namespace+"/"+migration.Name),
			})
		}
	}
	return uses
}
