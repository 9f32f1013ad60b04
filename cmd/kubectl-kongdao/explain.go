package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/explain"
	"kongdao.io/kongdao/pkg/manifest"
	"kongdao.io/kongdao/pkg/uses"
	"kongdao.io/kongdao/pkg/workloads"
)

const explainLong = `Explain step by step what kongdao decides about a pod or a workload. The steps are the request, the
policies, the releases, the containers that run Kong, the database, and what a new pod waits for.

The decision is the one that the webhook would make now, from what is in the cluster. With -f, explain reads the pods
from files, and everything else from the cluster.

The ClusterRole view of Kubernetes in the namespace is enough. Without permission to read PluginPolicies, explain leaves
them out and says so.`

const explainExample = `  # Find out why a pod waits
  kubectl kongdao explain pod/kong-kong-6d5f9c7b8-x2x7q -n kong

  # Find out what happens to a manifest
  kubectl kongdao explain -f kong.yaml -n kong`

// explainCommand explains decisions about pods.
type explainCommand struct {
	streams   genericiooptions.IOStreams
	client    client.Client
	namespace string
	files     []string
	recursive bool
	output    string
}

func newExplainCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	e := &explainCommand{streams: streams}
	var connection clusterFlags
	command := &cobra.Command{
		Use:     "explain POD|WORKLOAD|-f FILE",
		Short:   "Explain what kongdao decides about a pod, and what it waits for",
		Long:    explainLong,
		Example: explainExample,
		RunE: func(command *cobra.Command, args []string) error {
			if err := e.validate(args); err != nil {
				return err
			}
			var err error
			if e.namespace, err = namespaces.namespace(); err != nil {
				return err
			}
			if e.client, err = connection.connect(streams); err != nil {
				return err
			}
			return e.run(command.Context(), args)
		},
	}
	flags := command.Flags()
	flags.StringArrayVarP(&e.files, "filename", "f", nil,
		"File, folder, or - for standard input, with pods or workloads. You can repeat the flag")
	flags.BoolVarP(&e.recursive, "recursive", "R", false, "Also read the subfolders of folders given with -f")
	flags.StringVarP(&e.output, "output", "o", "", "Output format: json or yaml. The default is text")
	completeValues(command, "output", outputJSON, outputYAML)
	connection.add(flags, namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 0, workloadNames, podNames)
	return command
}

func (e *explainCommand) validate(args []string) error {
	switch {
	case e.output != "" && e.output != outputJSON && e.output != outputYAML:
		return fmt.Errorf("unknown output format %q; use -o json or -o yaml", e.output)
	case len(args) == 0 && len(e.files) == 0:
		return errors.New("name a pod or a workload, such as pod/kong-1 or deployment/kong, or a file with -f")
	case len(args) > 0 && len(e.files) > 0:
		return fmt.Errorf("-f reads pods from files; remove it, or %q", strings.Join(args, " "))
	}
	return nil
}

func (e *explainCommand) run(ctx context.Context, args []string) error {
	inputs, err := e.inputs(ctx, args)
	if err != nil {
		return err
	}
	explanations := []explain.Explanation{}
	for _, input := range inputs {
		if err := e.readState(ctx, &input); err != nil {
			return err
		}
		explanation, err := explain.New(input)
		if err != nil {
			return err
		}
		explanations = append(explanations, explanation)
	}
	return e.print(explanations)
}

// inputs returns the pods to explain.
func (e *explainCommand) inputs(ctx context.Context, args []string) ([]explain.Input, error) {
	if len(e.files) > 0 {
		return e.fileInputs()
	}
	var inputs []explain.Input
	for _, argument := range args {
		input, err := e.objectInput(ctx, argument)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, input)
	}
	return inputs, nil
}

// fileInputs returns the pods in the files.
func (e *explainCommand) fileInputs() ([]explain.Input, error) {
	reader := inputs{stdin: e.streams.In, recursive: e.recursive}
	documents, err := reader.read("-f", e.files)
	if err != nil {
		return nil, err
	}
	pods, err := manifest.Pods(documents, e.namespace)
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
func (e *explainCommand) objectInput(ctx context.Context, argument string) (explain.Input, error) {
	kind, name, hasKind := strings.Cut(argument, "/")
	if !hasKind {
		kind, name = "pod", argument
	}
	switch strings.ToLower(kind) {
	case "pod", "pods", "po":
		return e.podInput(ctx, name)
	}
	object, err := readWorkload(ctx, e.client, e.namespace, argument)
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
		Subject: workloads.Describe(object), Pod: decision.Pod{Namespace: e.namespace, View: view},
	}, nil
}

func (e *explainCommand) podInput(ctx context.Context, name string) (explain.Input, error) {
	var pod corev1.Pod
	if err := e.client.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: name}, &pod); err != nil {
		return explain.Input{}, fmt.Errorf("read pod %q in namespace %q: %w", name, e.namespace, err)
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
		Pod: decision.Pod{Namespace: e.namespace, OwnerKind: ownerKind, View: view},
	}, nil
}

// readState reads what the decision about a pod depends on.
func (e *explainCommand) readState(ctx context.Context, input *explain.Input) error {
	request, _ := annotations.Parse(input.Pod.View.Annotations) // a malformed annotation is part of the explanation
	var plugins []string
	for _, plugin := range request.Plugins {
		plugins = append(plugins, plugin.Name)
	}
	var err error
	if input.Cluster, err = readCluster(ctx, e.client, input.Pod.Namespace, plugins, e.streams.ErrOut); err != nil {
		return err
	}
	input.Migrations, err = uses.ReadMigrations(ctx, e.client, input.Pod.Namespace)
	return err
}

func (e *explainCommand) print(explanations []explain.Explanation) error {
	var text strings.Builder
	switch e.output {
	case outputJSON:
		encoded, err := json.MarshalIndent(explanations, "", "    ")
		if err != nil {
			return err
		}
		text.WriteString(string(encoded) + "\n")
	case outputYAML:
		encoded, err := yaml.Marshal(explanations)
		if err != nil {
			return err
		}
		text.Write(encoded)
	default:
		for i, explanation := range explanations {
			if i > 0 {
				text.WriteString("\n")
			}
			text.WriteString(explanation.Text())
		}
	}
	_, err := e.streams.Out.Write([]byte(text.String()))
	return err
}
