package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"kongdao.io/kongdao/pkg/checks"
)

func addKongVersionFlag(flags *pflag.FlagSet, version *string) {
	flags.StringVar(version, "kong-version", checks.NewestKong.String(), fmt.Sprintf(
		"Version of Kong that must load the plugin, such as 3.4. The checks have rules for %s and newer", checks.OldestKong))
}

func parseKongVersion(text string) (checks.KongVersion, error) {
	version, err := checks.ParseKongVersion(text)
	if err != nil {
		return checks.KongVersion{}, fmt.Errorf("--kong-version: %w", err)
	}
	return version, nil
}
