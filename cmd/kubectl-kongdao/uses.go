package main

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/prune"
)

// isLibrary reports whether a policy names a namespace as its library.
func isLibrary(ctx context.Context, reader client.Reader, namespace string) (bool, error) {
	var list v1alpha1.PluginPolicyList
	if err := reader.List(ctx, &list); meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("list PluginPolicies: %w", err)
	}
	for i := range list.Items {
		if list.Items[i].Spec.Library == namespace {
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
	add := func(kind string, object client.Object, template *corev1.PodTemplateSpec) {
		by := fmt.Sprintf("%s %q", kind, object.GetNamespace()+"/"+object.GetName())
		uses = append(uses, prune.UsesOf(template.Annotations, by)...)
	}
	lists := []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{},
		&appsv1.ControllerRevisionList{},
	}
	for _, list := range lists {
		if err := reader.List(ctx, list, scope...); err != nil {
			return nil, fmt.Errorf("list the workloads: %w", err)
		}
		switch list := list.(type) {
		case *appsv1.DeploymentList:
			for i := range list.Items {
				add("Deployment", &list.Items[i], &list.Items[i].Spec.Template)
			}
		case *appsv1.ReplicaSetList:
			for i := range list.Items {
				add("ReplicaSet", &list.Items[i], &list.Items[i].Spec.Template)
			}
		case *appsv1.StatefulSetList:
			for i := range list.Items {
				add("StatefulSet", &list.Items[i], &list.Items[i].Spec.Template)
			}
		case *appsv1.DaemonSetList:
			for i := range list.Items {
				add("DaemonSet", &list.Items[i], &list.Items[i].Spec.Template)
			}
		case *appsv1.ControllerRevisionList:
			for i := range list.Items {
				add("ControllerRevision", &list.Items[i], templateOfRevision(&list.Items[i]))
			}
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
