package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/manifest"
)

const injectLong = `Inject plugins into manifests as the webhook does in a cluster, and print all manifests.

inject changes pods and pod templates that request plugins with the annotation kongdao.io/plugins. The ConfigMaps
with the plugins must be in the same manifests, as "kubectl kongdao pack" prints them. With --policy, inject also
applies PluginPolicies, which can add plugins to pods and deny plugins.

Only the lines that must change differ from the input. inject prints nothing if the webhook would deny one of the
pods. It reports all denials instead.

With --diff, the exit code is 0 if nothing changes, 1 if there are differences, and 2 if there are denials or errors, as
with "kubectl diff".`

const injectExample = `  # Show what the webhook will change in a chart whose values request the plugin
  helm template kong kong/kong -n kong -f values.yaml | kubectl kongdao inject -f dao-test.yaml -f - -n kong --diff

  # Write manifests that need no webhook
  kubectl kongdao pack ./dao-test -n kong > dao-test.yaml
  kubectl kongdao inject -f dao-test.yaml -f kong.yaml -n kong > injected.yaml

  # Show the effect of a policy before you create it
  kubectl kongdao inject -f dao-test.yaml -f kong.yaml -n kong --policy policy.yaml --diff`

// Exit codes of inject --diff, which are those of kubectl diff.
const (
	exitDifferences = 1
	exitNoDiff      = 2
)

// errDifferences ends inject --diff after it has printed differences.
var errDifferences = errors.New("there are differences")

// injectOptions are the flags of "kubectl kongdao inject".
type injectOptions struct {
	files     []string
	policies  []string
	recursive bool
	diff      bool
	// migrations reports whether kongdao runs migrations in the cluster.
	migrations bool
	output     string
}

func newInjectCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	var options injectOptions
	command := &cobra.Command{
		Use:     "inject -f FILE|DIR|-",
		Short:   "Inject plugins into manifests as the webhook does",
		Long:    injectLong,
		Example: injectExample,
		RunE: func(_ *cobra.Command, args []string) error {
			err := validateInject(args, options)
			namespace, namespaceErr := namespaces.namespace()
			if err = errors.Join(err, namespaceErr); err == nil {
				err = runInject(streams, namespace, options)
			}
			if options.diff && err != nil && !errors.Is(err, errDifferences) {
				return &exitError{exitNoDiff, err}
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringSliceVarP(&options.files, "filename", "f", nil,
		"Files or folders with manifests, or - for standard input. In a folder, inject reads *.yaml, *.yml and *.json")
	flags.StringSliceVar(&options.policies, "policy", nil,
		"Files or folders with PluginPolicies and the Namespaces that they select, or -. They are not printed")
	flags.BoolVarP(&options.recursive, "recursive", "R", false, "Also read the subfolders of folders")
	flags.BoolVar(&options.diff, "diff", false,
		"Print the changes as a unified diff instead of the manifests, with the exit codes of kubectl diff")
	flags.BoolVar(&options.migrations, "migrations", true,
		"Warn of migrations that kongdao cannot run. Set it to false if the chart's value migrations.enabled is false")
	addOutputFlag(command, &options.output)
	return command
}

func validateInject(args []string, options injectOptions) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("inject reads files only with -f; write \"kubectl kongdao inject -f %s\"",
			strings.Join(args, " -f "))
	case len(options.files) == 0:
		return errors.New("no input; name files or folders with -f, or use -f - for standard input")
	}
	return validateOutput(options.output)
}

func runInject(streams genericiooptions.IOStreams, namespace string, options injectOptions) error {
	inputs := inputs{stdin: streams.In, recursive: options.recursive}
	documents, err := inputs.read("-f", options.files)
	policies, policyErr := inputs.read("--policy", options.policies)
	if err := errors.Join(err, policyErr); err != nil {
		return err
	}
	result := manifest.Inject(documents, policies, manifest.Settings{
		Namespace: namespace, RunsMigrations: options.migrations,
	})
	for _, warning := range result.Warnings {
		fmt.Fprintf(streams.ErrOut, "warning: %s\n", warning)
	}
	if len(result.Denials) > 0 {
		return result.Denials
	}
	if result.Requesting == 0 {
		fmt.Fprintf(streams.ErrOut, "note: nothing changes: no pod or pod template in the input has the annotation %s%s\n",
			annotations.Plugins, policyNote(policies))
	}
	// The command renders everything before it prints anything. After an error, the output is empty.
	var text bytes.Buffer
	if err := renderDocuments(&text, documents, options, isColored(streams.Out)); err != nil {
		return err
	}
	if _, err = streams.Out.Write(text.Bytes()); err == nil && options.diff && text.Len() > 0 {
		return &exitError{exitDifferences, errDifferences}
	}
	return err
}

func policyNote(policies []*manifest.Document) string {
	if len(policies) == 0 {
		return ""
	}
	return ", and no policy gives one plugins"
}

// renderDocuments writes the documents in the format that the flags choose.
func renderDocuments(out *bytes.Buffer, documents []*manifest.Document, options injectOptions, colored bool) error {
	if options.diff {
		return writeDiff(out, documents, colored)
	}
	render := manifest.WriteYAML
	if options.output == outputJSON {
		render = manifest.WriteJSON
	}
	text, err := render(documents)
	out.Write(text)
	return err
}
