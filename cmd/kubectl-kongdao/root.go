package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/denial"
)

const rootLong = `Work with Kong plugins that have custom entities and migrations: write and check them, see what runs
and why, move workloads to other releases, and repair what does not continue.

pack and inject read files and print manifests. They do not connect to a cluster. lint does only if you name no files.
The other commands do.`

const rootExample = `  # Create the ConfigMaps of the plugin in the folder dao-test
  kubectl kongdao pack ./dao-test -n kong | kubectl create -f -

  # Show what the webhook will change in a chart whose values request the plugin
  kubectl kongdao pack ./dao-test -n kong > dao-test.yaml
  helm template kong kong/kong -n kong -f values.yaml | kubectl kongdao inject -f dao-test.yaml -f - -n kong --diff`

// newCommand returns the command "kubectl kongdao" with its subcommands.
func newCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var flags namespaceFlags
	command := &cobra.Command{
		Use:         "kubectl-kongdao",
		Short:       "Work with Kong plugins that have custom entities and migrations",
		Long:        rootLong,
		Example:     rootExample,
		Version:     version,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl kongdao"},
		// The function run prints errors. The usage text would hide them.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          runGroup,

		SuggestionsMinimumDistance: maxTypos,
	}
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w; run \"%s --help\" for the flags", err, command.CommandPath())
	})
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	flags.add(command.PersistentFlags())
	for _, group := range groups() {
		command.AddGroup(&cobra.Group{ID: group.title, Title: group.title + ":"})
		for _, newSubcommand := range group.commands {
			subcommand := newSubcommand(streams, &flags)
			subcommand.GroupID = group.title
			command.AddCommand(subcommand)
		}
	}
	return command
}

// commandGroup is a group of subcommands in the help.
type commandGroup struct {
	title    string
	commands []func(genericiooptions.IOStreams, *namespaceFlags) *cobra.Command
}

func groups() []commandGroup {
	type constructors = []func(genericiooptions.IOStreams, *namespaceFlags) *cobra.Command
	return []commandGroup{
		{"Write and check plugins", constructors{newPackCommand, newLintCommand, newVerifyCommand, newInjectCommand}},
		{"See what runs and why", constructors{
			newStatusCommand, newExplainCommand, newPlanCommand, newWaitCommand, newLogsCommand,
		}},
		{"Change and repair what runs", constructors{
			newUpgradeCommand, newRollbackCommand, newMigrationCommand, newUngateCommand, newPruneCommand,
		}},
		{"Check the installation", constructors{newCheckCommand, newUninstallCheckCommand, newVersionCommand}},
	}
}

// maxTypos is how many letters of a mistyped command may differ from those of a suggested one.
const maxTypos = 2

// runGroup runs a command that only has subcommands. It prints the help, or reports an unknown command with those that
// the user may have meant.
func runGroup(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return command.Help()
	}
	var suggestions []string
	for _, name := range command.SuggestionsFor(args[0]) {
		suggestions = append(suggestions, fmt.Sprintf("%q", command.CommandPath()+" "+name))
	}
	hint := fmt.Sprintf("; run \"%s --help\" for the commands", command.CommandPath())
	if len(suggestions) > 0 {
		hint = "; did you mean " + strings.Join(suggestions, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], command.CommandPath(), hint)
}

// errorText formats the error of a command with one line for each problem.
func errorText(err error) string {
	messages := strings.Split(err.Error(), "\n")
	if denials, ok := errors.AsType[denial.List](err); ok {
		messages = nil
		for _, denied := range denials.Sorted() {
			messages = append(messages, denied.Message)
		}
	}
	var text strings.Builder
	for _, message := range messages {
		text.WriteString("error: " + message + "\n")
	}
	return text.String()
}
