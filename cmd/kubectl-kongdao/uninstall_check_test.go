package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// uninstallGoldens is the folder in testdata with the output of uninstall-check about recorded clusters.
const uninstallGoldens = "uninstall-check"

func TestUninstallCheck(t *testing.T) {
	tests := map[string]struct {
		state, output string
		fails         bool
	}{
		"nothing":        {filepath.Join(statusGoldens, "empty.yaml"), "", false},
		"healthy":        {filepath.Join(statusGoldens, "healthy.yaml"), "", false},
		"waiting pods":   {filepath.Join(statusGoldens, "problems.yaml"), "", true},
		"sources":        {filepath.Join(explainGoldens, "cluster.yaml"), "", true},
		"json":           {filepath.Join(statusGoldens, "problems.yaml"), outputJSON, true},
		"unknown format": {filepath.Join(statusGoldens, "empty.yaml"), "wide", true},
	}
	files, err := os.ReadDir(filepath.Join("testdata", uninstallGoldens))
	if err != nil || len(files) != len(tests) && !*update {
		t.Errorf("there are %d golden files for %d tests: %v", len(files), len(tests), err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			streams := genericiooptions.IOStreams{Out: &out, ErrOut: &out}
			cluster := recordedCluster(t, filepath.Join("testdata", test.state))
			err := runUninstallCheck(t.Context(), streams, cluster, test.output)
			if (err != nil) != test.fails {
				t.Errorf("the error is %v", err)
			}
			if err != nil && !errors.Is(err, errFindings) {
				out.WriteString(errorText(err))
			}
			compareGolden(t, filepath.Join("testdata", uninstallGoldens, name+".txt"), out.String(), "results")
		})
	}
}
