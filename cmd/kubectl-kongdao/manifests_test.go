package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const fixture = "../../test/fixtures/plugins/dao-test"

// What must hold of any manifests. KONG_MANIFESTS names a folder with more of
// them: renderings of Kong's chart that ask for dao-test in namespace kong.
func TestManifests(t *testing.T) {
	cases := map[string][]string{
		"chart":  {"testdata/inject-chart/source.yaml", "testdata/inject-chart/kong.yaml"},
		"styles": {"testdata/inject-styles/input.yaml"},
		"kinds":  {"testdata/inject-kinds/input.yaml"},
		"json":   {"testdata/inject-json/source.yaml", "testdata/inject-json/input.json"},
	}
	folder := os.Getenv("KONG_MANIFESTS")
	if folder == "" {
		t.Log("KONG_MANIFESTS is not set: no manifests but our own")
	} else {
		source := filepath.Join(t.TempDir(), "dao-test.yaml")
		packed := succeed(t, "", "pack", fixture, "-n", "kong")
		if err := os.WriteFile(source, []byte(packed), 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("KONG_MANIFESTS=%s: no *.yaml there (%v)", folder, err)
		}
		for _, file := range files {
			cases[filepath.Base(file)] = []string{source, file}
		}
	}
	for name, files := range cases {
		t.Run(name, func(t *testing.T) { checkManifests(t, files) })
	}
}

func checkManifests(t *testing.T, files []string) {
	args := []string{"inject"}
	var controllers []any
	expected := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		controllers = append(controllers, controllersIn(t, string(text))...)
		expected = expected || strings.Contains(string(text), "name: ingress-controller")
		args = append(args, "-f", file)
	}
	once := succeed(t, "", args...)
	if !strings.Contains(once, "kongdao.io/injected: \"true\"") && !strings.Contains(once, `"kongdao.io/injected": "true"`) {
		t.Errorf("nothing is injected:\n%s", once)
	}
	if diff := cmp.Diff(once, succeed(t, once, "inject", "-f", "-")); diff != "" {
		t.Errorf("injecting again changes it (-once +twice):\n%s", diff)
	}
	if diff := succeed(t, once, "inject", "-f", "-", "--diff"); diff != "" {
		t.Errorf("injecting again shows a diff:\n%s", diff)
	}
	asJSON := succeed(t, "", append(args, "-o", "json")...)
	if diff := cmp.Diff(asJSON, succeed(t, asJSON, "inject", "-f", "-")); diff != "" {
		t.Errorf("injecting the JSON again changes it (-once +twice):\n%s", diff)
	}
	if diff := cmp.Diff(asJSON, succeed(t, once, "inject", "-f", "-", "-o", "json")); diff != "" {
		t.Errorf("YAML and JSON differ (-json +yaml):\n%s", diff)
	}
	if diff := cmp.Diff(controllers, controllersIn(t, once)); diff != "" {
		t.Errorf("a controller's container changed (-before +after):\n%s", diff)
	}
	if expected && len(controllers) == 0 {
		t.Error("the controllers in it were not found")
	}
}

// controllersIn yields every ingress controller's container, as Kubernetes reads it.
func controllersIn(t *testing.T, text string) []any {
	t.Helper()
	var found []any
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		var document any
		if err := decoder.Decode(&document); err != nil {
			if err.Error() != "EOF" {
				t.Fatal(err)
			}
			return found
		}
		found = append(found, controllersBelow(document)...)
	}
}

func controllersBelow(value any) []any {
	var found []any
	switch value := value.(type) {
	case map[string]any:
		if image, ok := value["image"].(string); ok && strings.Contains(image, "ingress-controller") {
			return []any{value}
		}
		for _, name := range []string{"items", "spec", "template", "jobTemplate", "containers", "initContainers"} {
			found = append(found, controllersBelow(value[name])...)
		}
	case []any:
		for _, item := range value {
			found = append(found, controllersBelow(item)...)
		}
	}
	return found
}

func TestNamespace(t *testing.T) {
	source := succeed(t, "", "pack", fixture)
	pod := "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {kongdao.io/plugins: dao-test}\nspec:\n  containers: [{name: proxy, image: kong}]\n"
	elsewhere := strings.Replace(pod, "name: a", "name: a\n  namespace: kong", 1)
	config := filepath.Join(t.TempDir(), "config")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts: [{name: here, context: {cluster: c, namespace: kong}}]\nclusters: [{name: c, cluster: {server: https://127.0.0.1:1}}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		input  string
		args   []string
		stderr string
	}{
		"none":       {reason: "all are in the same one, whichever", input: source + pod},
		"flag":       {reason: "-n is that of all that name none", input: source + elsewhere, args: []string{"-n", "kong"}},
		"kubeconfig": {reason: "as for kubectl, the context's", input: source + elsewhere, args: []string{"--kubeconfig", config}},
		"default": {
			reason: "a source in another namespace is no source, and the message says where it is",
			input:  source + elsewhere, stderr: `the input has the plugin in namespace "default": pack it with -n kong`,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := invoke(t, test.input, append([]string{"inject", "-f", "-"}, test.args...)...)
			if failed := test.stderr != ""; (code != 0) != failed || !strings.Contains(stderr, test.stderr) || failed && stdout != "" {
				t.Errorf("%s: exit %d\nstdout: %s\nstderr: %s", test.reason, code, stdout, stderr)
			}
		})
	}
}

func TestFolders(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"b.yaml": "kind: B\n", "a.yml": "kind: A\n", "c.json": `{"kind":"C"}`, "d.txt": "kind: D\n", "below/e.yaml": "kind: E\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := "kind: A\n---\nkind: B\n---\n{\"kind\":\"C\"}"
	if diff := cmp.Diff(want, succeed(t, "", "inject", "-f", folder)); diff != "" {
		t.Errorf("-f DIR (-want +got):\n%s", diff)
	}
	want = "kind: A\n---\nkind: B\n---\nkind: E\n---\n{\"kind\":\"C\"}"
	if diff := cmp.Diff(want, succeed(t, "", "inject", "-R", "-f", folder)); diff != "" {
		t.Errorf("-R -f DIR (-want +got):\n%s", diff)
	}
}

// A folder that Kubernetes mounted holds links to files, and links to folders
// are nobody's plugin.
func TestPackLinks(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dao-test")
	if err := os.CopyFS(filepath.Join(folder, "..data"), os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"handler.lua": "..data/handler.lua", "schema.lua": "..data/schema.lua", "lib": "..data/migrations", "gone.lua": "..data/gone.lua",
	} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr, code := invoke(t, "", "pack", folder)
	for _, want := range []string{
		`"lib" is neither a file nor a folder of its own, nor a link to a file; put the files themselves there`,
		`"gone.lua": no such file or directory`,
	} {
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, want 1 and %s in\n%s", code, want, stderr)
		}
	}
	for _, link := range []string{"lib", "gone.lua"} {
		if err := os.Remove(filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	if packed := succeed(t, "", "pack", folder); !strings.Contains(packed, "\n  handler.lua: |\n") {
		t.Errorf("the linked files are not in\n%s", packed)
	}
}

// TestPolicyTwice proves that under a policy, too, injecting again changes
// nothing, and that without the policy its plugins stay as they were given.
func TestPolicyTwice(t *testing.T) {
	folder := filepath.Join("testdata", "inject-policy")
	policy := []string{"--policy", filepath.Join(folder, "policy.yaml")}
	once := succeed(t, "", append([]string{"inject", "-f", filepath.Join(folder, "source.yaml"), "-f", filepath.Join(folder, "pods.yaml")}, policy...)...)
	for _, flags := range [][]string{policy, nil} {
		if diff := cmp.Diff(once, succeed(t, once, append([]string{"inject", "-f", "-"}, flags...)...)); diff != "" {
			t.Errorf("injecting again with %q changes it (-once +twice):\n%s", flags, diff)
		}
	}
}

// TestPolicyOrder proves that the order of files and of policies in them changes
// nothing, and that one file may stand on standard input.
func TestPolicyOrder(t *testing.T) {
	folder := filepath.Join("testdata", "inject-policy")
	in := func(name string) string { return filepath.Join(folder, name) }
	audits, err := os.ReadFile(in("audits.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := succeed(t, "", "inject", "-f", in("source.yaml"), "-f", in("pods.yaml"), "--policy", in("policy.yaml"), "--policy", in("audits.json"))
	got := succeed(t, string(audits), "inject", "-f", in("source.yaml"), "-f", in("pods.yaml"), "--policy", "-,"+in("policy.yaml"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in another order (-want +got):\n%s", diff)
	}
}
