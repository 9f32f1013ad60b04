package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/manifest"
)

const injectExample = `  # What the webhook would make of a chart's Deployment, and nothing else
  helm template kong kong/kong | kubectl kongdao inject -f dao-test.yaml -f - --diff

  # Manifests that need no webhook
  kubectl kongdao pack ./dao-test -n kong > dao-test.yaml
  kubectl kongdao inject -f dao-test.yaml -f kong.yaml -n kong > injected.yaml

  # What a policy would make of them, before it is in the cluster
  kubectl kongdao inject -f dao-test.yaml -f kong.yaml -n kong --policy policy.yaml --diff`

// injectOptions are the flags of "kubectl kongdao inject".
type injectOptions struct {
	files     []string
	policies  []string
	recursive bool
	diff      bool
	output    string
}

func newInjectCommand(streams genericiooptions.IOStreams, where *place) *cobra.Command {
	var options injectOptions
	command := &cobra.Command{
		Use:   "inject -f FILE|DIR|-",
		Short: "Injects plugins into manifests, as the webhook does into pods",
		Long: "Gives the pods and pod templates in manifests the plugins that they ask for by annotation kongdao.io/plugins, from\n" +
			"ConfigMaps in the same manifests; with --policy, what policies give and allow them too. Prints all manifests; of those\n" +
			"that are injected only the changed lines differ.",
		Example: injectExample,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			namespace, err := where.namespace()
			if err != nil {
				return err
			}
			return runInject(streams, namespace, options)
		},
	}
	flags := command.Flags()
	flags.StringSliceVarP(&options.files, "filename", "f", nil, "Files, folders (their *.yaml, *.yml and *.json), or - for standard input")
	flags.StringSliceVar(&options.policies, "policy", nil, "Files, folders or - with PluginPolicies, and Namespaces whose labels they select; not printed")
	flags.BoolVarP(&options.recursive, "recursive", "R", false, "Read folders within folders too")
	flags.BoolVar(&options.diff, "diff", false, "Print what changes, as a unified diff")
	addOutputFlag(flags, &options.output)
	return command
}

func runInject(streams genericiooptions.IOStreams, namespace string, options injectOptions) error {
	if len(options.files) == 0 {
		return errors.New("nothing to read; name files or folders with -f, or - for standard input")
	}
	if err := checkOutput(options.output); err != nil {
		return err
	}
	inputs := inputs{stdin: streams.In, recursive: options.recursive}
	documents, err := inputs.read("-f", options.files)
	policies, malformed := inputs.read("--policy", options.policies)
	if err := errors.Join(err, malformed); err != nil {
		return err
	}
	result := manifest.Inject(documents, policies, namespace)
	for _, warning := range result.Warnings {
		fmt.Fprintf(streams.ErrOut, "warning: %s\n", warning)
	}
	if len(result.Denials) > 0 {
		return result.Denials
	}
	// Everything is made before anything is printed: whoever reads the output
	// gets all of it or nothing.
	var text []byte
	switch {
	case options.diff:
		var printed bytes.Buffer
		err = writeDiff(&printed, documents, isColored(streams.Out))
		text = printed.Bytes()
	case options.output == outputJSON:
		text, err = manifest.WriteJSON(documents)
	default:
		text, err = manifest.WriteYAML(documents)
	}
	if err != nil {
		return err
	}
	_, err = streams.Out.Write(text)
	return err
}
