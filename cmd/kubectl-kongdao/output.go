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
	flags.StringVarP(output, "output", "o", outputYAML, "The form of the output: yaml or json (one List)")
}

func checkOutput(output string) error {
	if output != outputYAML && output != outputJSON {
		return fmt.Errorf("there is no output %q; use -o %s or -o %s", output, outputYAML, outputJSON)
	}
	return nil
}
