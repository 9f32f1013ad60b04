package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// planGoldens is the folder in testdata with a recorded cluster, and what plan says about it.
const planGoldens = "plan"

func TestPlan(t *testing.T) {
	folder := filepath.Join("testdata", planGoldens)
	tests := map[string]struct {
		args, files []string
		output      string
	}{
		"upgrade":      {args: []string{"deployment/kong"}},
		"new database": {args: []string{"deployment/new"}},
		"edited":       {args: []string{"pod/edited"}},
		"computed":     {args: []string{"deployment/computed"}},
		"library":      {args: []string{"deployment/library"}},
		"no migrations": {args: []string{
			"deployment/none", "deployment/denied", "deployment/by-hand", "deployment/without-database",
		}},
		"json": {args: []string{"deployment/kong"}, output: outputJSON},
	}
	expected := map[string]bool{"cluster.yaml": true}
	for name, test := range tests {
		expected[name+".txt"] = true
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			command := &planCommand{output: test.output, podReader: podReader{
				streams: genericiooptions.IOStreams{Out: &out, ErrOut: &out}, namespace: "kong", files: test.files,
				client: recordedCluster(t, filepath.Join(folder, "cluster.yaml")),
			}}
			if err := command.run(t.Context(), test.args); err != nil {
				out.WriteString(errorText(err))
			}
			compareGolden(t, filepath.Join(folder, name+".txt"), out.String(), "plan")
		})
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !expected[file.Name()] {
			t.Errorf("%s belongs to no test", file.Name())
		}
	}
}
