package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// addJobMetadataFlags adds the flags for the labels and annotations of the Jobs' pods. There are two flags for each:
// --job-labels takes several pairs, so a value cannot contain every character. --job-label takes one pair with any
// value.
func (o *Options) addJobMetadataFlags(flags *pflag.FlagSet) {
	flags.StringToStringVar(&o.JobLabels, "job-labels", o.JobLabels,
		"labels for the Jobs' pods, `name=value` and separated by commas; for example, for a NetworkPolicy")
	flags.StringToStringVar(&o.JobAnnotations, "job-annotations", o.JobAnnotations,
		"annotations for the Jobs' pods, `name=value` and separated by commas; use --job-annotation for a value with a comma")
	flags.Var(pairFlag{&o.JobLabels}, "job-label", "one label for the Jobs' pods, `name=value`; can be repeated")
	flags.Var(pairFlag{&o.JobAnnotations}, "job-annotation",
		"one annotation for the Jobs' pods, `name=value`; the value can contain any character; can be repeated")
}

// pairFlag is a flag with one name and one value. Each use of the flag adds its pair to the map.
type pairFlag struct{ pairs *map[string]string }

// Set implements pflag.Value. The name ends at the first equals sign.
func (f pairFlag) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q must be name=value", text)
	}
	if *f.pairs == nil {
		*f.pairs = map[string]string{}
	}
	(*f.pairs)[name] = value
	return nil
}

// String implements pflag.Value. It returns "", so that the help shows no default.
func (f pairFlag) String() string { return "" }

// Type implements pflag.Value.
func (f pairFlag) Type() string { return "name=value" }
