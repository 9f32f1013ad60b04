package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// explainGoldens is the folder in testdata with a recorded cluster, and what explain says about it.
const explainGoldens = "explain"

func TestExplain(t *testing.T) {
	folder := filepath.Join("testdata", explainGoldens)
	tests := map[string]struct {
		args, files []string
		output      string
	}{
		"waiting pod":      {args: []string{"waiting"}},
		"uninjected pod":   {args: []string{"pod/missing"}},
		"workloads":        {args: []string{"deployment/pinned", "deploy/denied", "deploy/unrelated"}},
		"files":            {files: []string{filepath.Join(folder, "pods.yaml")}},
		"json":             {args: []string{"deploy/denied"}, output: outputJSON},
		"yaml":             {args: []string{"deploy/unrelated"}, output: outputYAML},
		"absent":           {args: []string{"pod/absent"}},
		"no workload kind": {args: []string{"service/kong"}},
	}
	expected := map[string]bool{"cluster.yaml": true, "pods.yaml": true}
	for name, test := range tests {
		expected[name+".txt"] = true
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			command := &explainCommand{output: test.output, podReader: podReader{
				streams: genericiooptions.IOStreams{Out: &out, ErrOut: &out}, namespace: "kong", files: test.files,
				client: recordedCluster(t, filepath.Join(folder, "cluster.yaml")),
			}}
			if err := command.run(t.Context(), test.args); err != nil {
				out.WriteString(errorText(err))
			}
			compareGolden(t, filepath.Join(folder, name+".txt"), out.String(), "explanation")
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
