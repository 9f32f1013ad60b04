package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/explain"
	"kongdao.io/kongdao/pkg/manifest"
	"kongdao.io/kongdao/pkg/uses"
	"kongdao.io/kongdao/pkg/workloads"
)

// podReader reads pods and workloads from a cluster or from files, with what decisions about them depend on.
type podReader struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	namespace string
	files     []string
	recursive bool
}

func (r *podReader) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&r.files, "filename", "f", nil,
		"File, folder, or - for standard input, with pods or workloads. You can repeat the flag")
	flags.BoolVarP(&r.recursive, "recursive", "R", false, "Also read the subfolders of folders given with -f")
}

func (r *podReader) validateInputs(args []string) error {
	switch {
	case len(args) == 0 && len(r.files) == 0:
		return errors.New("name a pod or a workload, such as pod/kong-1 or deployment/kong, or a file with -f")
	case len(args) > 0 && len(r.files) > 0:
		return fmt.Errorf("-f reads pods from files; remove it, or %q", strings.Join(args, " "))
	}
	return nil
}

// inputs returns the pods to explain.
func (r *podReader) inputs(ctx context.Context, args []string) ([]explain.Input, error) {
	if len(r.files) > 0 {
		return r.fileInputs()
	}
	var inputs []explain.Input
	for _, argument := range args {
		input, err := r.objectInput(ctx, argument)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, input)
	}
	return inputs, nil
}

// fileInputs returns the pods in the files.
func (r *podReader) fileInputs() ([]explain.Input, error) {
	reader := inputs{stdin: r.streams.In, recursive: r.recursive}
	documents, err := reader.read("-f", r.files)
	if err != nil {
		return nil, err
	}
	pods, err := manifest.Pods(documents, r.namespace)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, errors.New("the files have no pods and no workloads")
	}
	var found []explain.Input
	for _, pod := range pods {
		found = append(found, explain.Input{
			Subject: pod.Label,
			Pod:     decision.Pod{Namespace: pod.Namespace, OwnerKind: pod.OwnerKind, View: pod.View},
		})
	}
	return found, nil
}

// objectInput reads a pod or a workload from the cluster.
func (r *podReader) objectInput(ctx context.Context, argument string) (explain.Input, error) {
	kind, name, hasKind := strings.Cut(argument, "/")
	if !hasKind {
		kind, name = "pod", argument
	}
	switch strings.ToLower(kind) {
	case "pod", "pods", "po":
		return r.podInput(ctx, name)
	}
	object, err := readWorkload(ctx, r.client, r.namespace, argument)
	if err != nil {
		return explain.Input{}, err
	}
	view, err := workloads.TemplateView(object)
	if err != nil {
		return explain.Input{}, err
	}
	propagation := annotations.Propagate(view.Annotations, object.GetAnnotations(), nil)
	for name, value := range propagation.Set {
		if view.Annotations == nil {
			view.Annotations = map[string]string{}
		}
		view.Annotations[name] = value
	}
	return explain.Input{
		Subject: workloads.Describe(object), Pod: decision.Pod{Namespace: r.namespace, View: view},
	}, nil
}

func (r *podReader) podInput(ctx context.Context, name string) (explain.Input, error) {
	var pod corev1.Pod
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, &pod); err != nil {
		return explain.Input{}, fmt.Errorf("read pod %q in namespace %q: %w", name, r.namespace, err)
	}
	view, err := clusterstate.PodView(&pod)
	if err != nil {
		return explain.Input{}, err
	}
	live := &explain.Live{
		Name: pod.Name, Phase: string(pod.Status.Phase), Migration: pod.Annotations[annotations.Migration],
		IsInjected: pod.Labels[annotations.Injected] == "true",
	}
	for _, gate := range pod.Spec.SchedulingGates {
		live.Gates = append(live.Gates, gate.Name)
	}
	ownerKind := ""
	for _, owner := range pod.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			ownerKind = owner.Kind
		}
	}
	return explain.Input{
		Subject: fmt.Sprintf("Pod %q", pod.Namespace+"/"+pod.Name), Live: live,
		Pod: decision.Pod{Namespace: r.namespace, OwnerKind: ownerKind, View: view},
	}, nil
}

// readState reads what the decision about a pod depends on.
func (r *podReader) readState(ctx context.Context, input *explain.Input) error {
	request, _ := annotations.Parse(input.Pod.View.Annotations) // a malformed annotation is part of the explanation
	var plugins []string
	for _, plugin := range request.Plugins {
		plugins = append(plugins, plugin.Name)
	}
	var err error
	if input.Cluster, err = readCluster(ctx, r.client, input.Pod.Namespace, plugins, r.streams.ErrOut); err != nil {
		return err
	}
	input.Migrations, err = uses.ReadMigrations(ctx, r.client, input.Pod.Namespace)
	return err
}
