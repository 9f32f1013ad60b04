package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/explain"
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
	podReader
	output string
}

func newExplainCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	e := &explainCommand{podReader: podReader{streams: streams}}
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
	e.addFlags(flags)
	flags.StringVarP(&e.output, "output", "o", "", "Output format: json or yaml. The default is text")
	completeValues(command, "output", outputJSON, outputYAML)
	connection.add(flags, namespaces)
	command.ValidArgsFunction = completeNames(&connection, namespaces, 0, workloadNames, podNames)
	return command
}

func (e *explainCommand) validate(args []string) error {
	if e.output != "" && e.output != outputJSON && e.output != outputYAML {
		return fmt.Errorf("unknown output format %q; use -o json or -o yaml", e.output)
	}
	return e.validateInputs(args)
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

func (e *explainCommand) print(explanations []explain.Explanation) error {
	var texts []string
	for _, explanation := range explanations {
		texts = append(texts, explanation.Text())
	}
	return printValues(e.streams.Out, e.output, explanations, texts)
}

// printValues prints values as JSON or YAML, or their texts with an empty line between them.
func printValues(out io.Writer, output string, values any, texts []string) error {
	text := []byte(strings.Join(texts, "\n"))
	var err error
	switch output {
	case outputJSON:
		text, err = json.MarshalIndent(values, "", "    ")
		text = append(text, '\n')
	case outputYAML:
		text, err = yaml.Marshal(values)
	}
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}
