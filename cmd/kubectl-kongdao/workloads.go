package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/upgrade"
)

// workloadKind is a kind of workload that has pins.
type workloadKind struct {
	names []string
	empty func() client.Object
	list  func() client.ObjectList
}

func workloadKinds() []workloadKind {
	return []workloadKind{
		{
			[]string{"deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"},
			func() client.Object { return &appsv1.Deployment{} }, func() client.ObjectList { return &appsv1.DeploymentList{} },
		},
		{
			[]string{"statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"},
			func() client.Object { return &appsv1.StatefulSet{} }, func() client.ObjectList { return &appsv1.StatefulSetList{} },
		},
		{
			[]string{"daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"},
			func() client.Object { return &appsv1.DaemonSet{} }, func() client.ObjectList { return &appsv1.DaemonSetList{} },
		},
	}
}

// readWorkload reads the workload that an argument names: "deployment/kong".
func readWorkload(ctx context.Context, reader client.Reader, namespace, argument string) (client.Object, error) {
	kind, name, ok := strings.Cut(argument, "/")
	at := slices.IndexFunc(workloadKinds(), func(k workloadKind) bool {
		return slices.Contains(k.names, strings.ToLower(kind))
	})
	if !ok || name == "" || at < 0 {
		return nil, fmt.Errorf("%q does not name a workload; write deployment/NAME, statefulset/NAME or daemonset/NAME",
			argument)
	}
	object := workloadKinds()[at].empty()
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		return nil, fmt.Errorf("read %s in namespace %q: %w", argument, namespace, err)
	}
	return object, nil
}

// readRequesting reads the workloads of a namespace that request plugins without a version.
func readRequesting(ctx context.Context, reader client.Reader, namespace string) ([]client.Object, error) {
	var found []client.Object
	for _, kind := range workloadKinds() {
		list := kind.list()
		if err := reader.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list the workloads in namespace %q: %w", namespace, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			found = append(found, item.(client.Object))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the workloads in namespace %q: %w", namespace, err)
		}
	}
	return slices.DeleteFunc(found, func(object client.Object) bool {
		request, malformed := annotations.Parse(templateOf(object).Annotations)
		return len(malformed) > 0 || !slices.ContainsFunc(request.Plugins, func(ref annotations.PluginRef) bool {
			return ref.Version == ""
		})
	}), nil
}

// templateOf returns the pod template of a workload, or of an older version of a workload.
func templateOf(object client.Object) *corev1.PodTemplateSpec {
	switch workload := object.(type) {
	case *appsv1.Deployment:
		return &workload.Spec.Template
	case *appsv1.ReplicaSet:
		return &workload.Spec.Template
	case *appsv1.StatefulSet:
		return &workload.Spec.Template
	case *appsv1.DaemonSet:
		return &workload.Spec.Template
	case *appsv1.ControllerRevision:
		return templateOfRevision(workload)
	}
	return &corev1.PodTemplateSpec{}
}

// kindOf returns the kind of a workload, or of an older version of a workload.
func kindOf(object client.Object) string {
	switch object.(type) {
	case *appsv1.Deployment:
		return "Deployment"
	case *appsv1.ReplicaSet:
		return "ReplicaSet"
	case *appsv1.StatefulSet:
		return "StatefulSet"
	case *appsv1.DaemonSet:
		return "DaemonSet"
	}
	return "ControllerRevision"
}

// planned returns what a plan reads of a workload.
func planned(object client.Object) (upgrade.Workload, error) {
	workload := upgrade.Workload{Namespace: object.GetNamespace(), Kind: kindOf(object), Name: object.GetName()}
	text, err := json.Marshal(templateOf(object))
	if err != nil {
		return workload, fmt.Errorf("encode %s: %w", workload.String(), err)
	}
	if workload.Template, err = mutate.DecodePod(text); err != nil {
		return workload, fmt.Errorf("decode %s: %w", workload.String(), err)
	}
	return workload, nil
}

// writePins writes the pins of a plan. The present pins become those that a rollback restores.
func writePins(
	ctx context.Context, writer client.Client, object client.Object, plan upgrade.Plan, options ...client.PatchOption,
) error {
	present := templateOf(object).Annotations[annotations.Releases]
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"annotations": map[string]any{annotations.PreviousReleases: present},
		},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]any{annotations.Releases: plan.Pins},
		}}},
	})
	if err != nil {
		return fmt.Errorf("encode the patch of %s %q: %w", kindOf(object), client.ObjectKeyFromObject(object), err)
	}
	changed := object.DeepCopyObject().(client.Object)
	options = append(options, client.FieldOwner("kubectl-kongdao"))
	if err := writer.Patch(ctx, changed, client.RawPatch(types.MergePatchType, patch), options...); err != nil {
		return fmt.Errorf("change %s %q: %w", kindOf(object), client.ObjectKeyFromObject(object), err)
	}
	if got := templateOf(changed).Annotations[annotations.Releases]; got != plan.Pins {
		return fmt.Errorf("%s %q has the releases %q, want %q: something else in the cluster changed annotation %s",
			kindOf(object), client.ObjectKeyFromObject(object), got, plan.Pins, annotations.Releases)
	}
	return nil
}
