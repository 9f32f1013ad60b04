package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const (
	outputYAML = "yaml"
	outputJSON = "json"
)

func addOutputFlag(command *cobra.Command, output *string) {
	command.Flags().StringVarP(output, "output", "o", outputYAML,
		"Output format: yaml, or json for one List of all objects")
	completeValues(command, "output", outputYAML, outputJSON)
}

func validateOutput(output string) error {
	if output != outputYAML && output != outputJSON {
		return fmt.Errorf("unknown output format %q; use -o %s or -o %s", output, outputYAML, outputJSON)
	}
	return nil
}
