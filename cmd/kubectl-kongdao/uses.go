package main

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/prune"
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
func readTemplateUses(ctx context.Context, reader client.Reader, scope []client.ListOption) ([]prune.Use, error) {
	var uses []prune.Use
	add := func(item runtime.Object) error {
		object := item.(client.Object)
		by := fmt.Sprintf("%s %q", kindOf(object), object.GetNamespace()+"/"+object.GetName())
		uses = append(uses, prune.UsesOf(templateOf(object).Annotations, by)...)
		return nil
	}
	lists := []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{},
		&appsv1.ControllerRevisionList{},
	}
	for _, list := range lists {
		if err := reader.List(ctx, list, scope...); err != nil {
			return nil, fmt.Errorf("list the workloads: %w", err)
		}
		if err := meta.EachListItem(list, add); err != nil {
			return nil, fmt.Errorf("read the workloads: %w", err)
		}
	}
	return uses, nil
}

// templateOfRevision returns the pod template in a revision of a StatefulSet or DaemonSet. Other controllers store
// other data, without a template.
func templateOfRevision(revision *appsv1.ControllerRevision) *corev1.PodTemplateSpec {
	var data struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	if err := json.Unmarshal(revision.Data.Raw, &data); err != nil {
		return &corev1.PodTemplateSpec{}
	}
	return &data.Spec.Template
}
