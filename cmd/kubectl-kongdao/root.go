package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/denial"
)

// newCommand makes "kubectl kongdao" with its subcommands.
func newCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "kubectl-kongdao",
		Short: "Packs Kong plugins into ConfigMaps and shows what pods get of them",
		Long: "kubectl kongdao packs Kong plugins with their entities and migrations into ConfigMaps,\n" +
			"and shows what pods that ask for them by annotation kongdao.io/plugins get.",
		Version:     version,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl kongdao"},
		// Errors are the business of main, and no usage helps against them.
		SilenceErrors: true,
		SilenceUsage:  true,
		// A suggestion takes several lines, and there are few commands.
		DisableSuggestions: true,
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	where.addFlags(command.PersistentFlags())
	command.AddCommand(newPackCommand(streams, &where), newInjectCommand(streams, &where))
	return command
}

// errorText is what a failed command leaves on the terminal: a line for each
// thing to be mended.
func errorText(err error) string {
	said := strings.Split(err.Error(), "\n")
	if denied, ok := errors.AsType[denial.List](err); ok {
		said = said[:0]
		for _, one := range denied.Sorted() {
			said = append(said, one.Message)
		}
	}
	var text strings.Builder
	for _, line := range said {
		text.WriteString("error: " + line + "\n")
	}
	return text.String()
}
