package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// TestManifests checks properties that hold for any manifests. The environment variable KONG_MANIFESTS names a folder
// with more of them: manifests from Kong's chart that request dao-test in the namespace kong.
func TestManifests(t *testing.T) {
	cases := map[string][]string{
		"chart":  {"testdata/inject-chart/source.yaml", "testdata/inject-chart/kong.yaml"},
		"styles": {"testdata/inject-styles/input.yaml"},
		"kinds":  {"testdata/inject-kinds/input.yaml"},
		"json":   {"testdata/inject-json/source.yaml", "testdata/inject-json/input.json"},
	}
	folder := os.Getenv("KONG_MANIFESTS")
	if folder == "" {
		t.Log("KONG_MANIFESTS is not set: the test uses only the manifests in testdata")
	} else {
		source := filepath.Join(t.TempDir(), "dao-test.yaml")
		packed := succeed(t, "", "pack", fixture, "-n", "kong")
		if err := os.WriteFile(source, []byte(packed), 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("KONG_MANIFESTS=%s: the folder has no *.yaml (%v)", folder, err)
		}
		for _, file := range files {
			cases[filepath.Base(file)] = []string{source, file}
		}
	}
	for name, files := range cases {
		t.Run(name, func(t *testing.T) { checkManifests(t, files) })
	}
}

// checkManifests checks that a second injection changes nothing, that YAML and JSON have the same objects, and that the
// containers of ingress controllers stay the same.
func checkManifests(t *testing.T, files []string) {
	args := []string{"inject"}
	var controllers []any
	hasController := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		controllers = append(controllers, ingressControllers(t, string(text))...)
		hasController = hasController || strings.Contains(string(text), "name: ingress-controller")
		args = append(args, "-f", file)
	}
	if hasController && len(controllers) == 0 {
		t.Error("the test did not find the ingress controllers in the manifests")
	}
	once := succeed(t, "", args...)
	if !strings.Contains(strings.ReplaceAll(once, `"`, ""), "kongdao.io/injected: true") {
		t.Errorf("nothing is injected:\n%s", once)
	}
	if diff := cmp.Diff(controllers, ingressControllers(t, once)); diff != "" {
		t.Errorf("the container of an ingress controller changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(once, succeed(t, once, "inject", "-f", "-")); diff != "" {
		t.Errorf("the second injection changes the manifests (-once +twice):\n%s", diff)
	}
	if diff := succeed(t, once, "inject", "-f", "-", "--diff"); diff != "" {
		t.Errorf("the second injection prints a diff:\n%s", diff)
	}
	asJSON := succeed(t, "", append(args, "-o", "json")...)
	if diff := cmp.Diff(asJSON, succeed(t, asJSON, "inject", "-f", "-")); diff != "" {
		t.Errorf("the second injection changes the JSON (-once +twice):\n%s", diff)
	}
	if diff := cmp.Diff(asJSON, succeed(t, once, "inject", "-f", "-", "-o", "json")); diff != "" {
		t.Errorf("YAML and JSON have different objects (-json +yaml):\n%s", diff)
	}
}

// ingressControllers returns the containers of all ingress controllers, as Kubernetes decodes them.
func ingressControllers(t *testing.T, text string) []any {
	t.Helper()
	var found []any
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		var document any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, ingressControllersIn(document)...)
	}
}

func ingressControllersIn(value any) []any {
	var found []any
	switch value := value.(type) {
	case map[string]any:
		if image, ok := value["image"].(string); ok && strings.Contains(image, "ingress-controller") {
			return []any{value}
		}
		for _, name := range []string{"items", "spec", "template", "jobTemplate", "containers", "initContainers"} {
			found = append(found, ingressControllersIn(value[name])...)
		}
	case []any:
		for _, item := range value {
			found = append(found, ingressControllersIn(item)...)
		}
	}
	return found
}
