package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

const (
	outputYAML = "yaml"
	outputJSON = "json"
)

func addOutputFlag(flags *pflag.FlagSet, output *string) {
	flags.StringVarP(output, "output", "o", outputYAML, "Output format: yaml, or json for one List of all objects")
}

func validateOutput(output string) error {
	if output != outputYAML && output != outputJSON {
		return fmt.Errorf("unknown output format %q; use -o %s or -o %s", output, outputYAML, outputJSON)
	}
	return nil
}
