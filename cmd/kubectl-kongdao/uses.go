package main

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/prune"
	"kongdao.io/kongdao/pkg/workloads"
)

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

// readMigrations reads PluginMigrations. A cluster may have none at all.
func readMigrations(
	ctx context.Context, reader client.Reader, options ...client.ListOption,
) ([]v1alpha1.PluginMigration, error) {
	var list v1alpha1.PluginMigrationList
	err := reader.List(ctx, &list, options...)
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("list PluginMigrations: %w", err)
	}
	return list.Items, nil
}

// readTemplateUses reads which releases pod templates use: those of workloads, and the older ones that a rollback can
// restore, in ReplicaSets and ControllerRevisions.
func readTemplateUses(ctx context.Context, reader client.Reader, namespace string) ([]prune.Use, error) {
	var uses []prune.Use
	kinds := slices.Concat(workloads.Kinds(), workloads.OlderKinds())
	for object, err := range workloads.All(ctx, reader, namespace, kinds) {
		if err != nil {
			return nil, err
		}
		uses = append(uses, prune.UsesOf(workloads.Template(object).Annotations, workloads.Describe(object))...)
	}
	return uses, nil
}
