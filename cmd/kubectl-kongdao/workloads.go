package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/pkg/workloads"
)

// readWorkload reads the workload that an argument names: "deployment/kong".
func readWorkload(ctx context.Context, reader client.Reader, namespace, argument string) (client.Object, error) {
	kindName, name, _ := strings.Cut(argument, "/")
	kind, known := workloads.KindNamed(kindName)
	if name == "" || !known {
		return nil, fmt.Errorf("%q does not name a workload; write deployment/NAME, statefulset/NAME or daemonset/NAME",
			argument)
	}
	object := kind.New()
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		return nil, fmt.Errorf("read %s in namespace %q: %w", argument, namespace, err)
	}
	return object, nil
}

// readRequesting reads the workloads of a namespace that request plugins without a version.
func readRequesting(ctx context.Context, reader client.Reader, namespace string) ([]client.Object, error) {
	var found []client.Object
	for object, err := range workloads.All(ctx, reader, namespace, workloads.Kinds()) {
		if err != nil {
			return nil, fmt.Errorf("read the workloads in namespace %q: %w", namespace, err)
		}
		found = append(found, object)
	}
	return slices.DeleteFunc(found, func(object client.Object) bool {
		request, malformed := annotations.Parse(workloads.Template(object).Annotations)
		return len(malformed) > 0 || !slices.ContainsFunc(request.Plugins, func(ref annotations.PluginRef) bool {
			return ref.Version == ""
		})
	}), nil
}

// planned returns what a plan reads of a workload.
func planned(object client.Object) (upgrade.Workload, error) {
	template, err := workloads.TemplateView(object)
	return upgrade.Workload{
		Namespace: object.GetNamespace(), Kind: workloads.KindOf(object), Name: object.GetName(), Template: template,
	}, err
}

// writePins writes the pins of a plan. The present pins become those that a rollback restores.
func writePins(
	ctx context.Context, writer client.Client, object client.Object, plan upgrade.Plan, options ...client.PatchOption,
) error {
	present := workloads.Template(object).Annotations[annotations.Releases]
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"annotations": map[string]any{annotations.PreviousReleases: present},
		},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]any{annotations.Releases: plan.Pins},
		}}},
	})
	if err != nil {
		return fmt.Errorf("encode the patch of %s: %w", workloads.Describe(object), err)
	}
	changed := object.DeepCopyObject().(client.Object)
	options = append(options, client.FieldOwner("kubectl-kongdao"))
	if err := writer.Patch(ctx, changed, client.RawPatch(types.MergePatchType, patch), options...); err != nil {
		return fmt.Errorf("change %s: %w", workloads.Describe(object), err)
	}
	if got := workloads.Template(changed).Annotations[annotations.Releases]; got != plan.Pins {
		return fmt.Errorf("%s has the releases %q, want %q: something else in the cluster changed annotation %s",
			workloads.Describe(object), got, plan.Pins, annotations.Releases)
	}
	return nil
}
