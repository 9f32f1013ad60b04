package main

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// fixture is the folder of the plugin dao-test.
const fixture = "../../test/fixtures/plugins/dao-test"

// terminalGoldens is the folder in testdata with the screens of TestConfirmation and TestScreens, which run on Linux.
const terminalGoldens = "terminal"

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// invoke runs the command as a process would, without a kubeconfig.
func invoke(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, errOut bytes.Buffer
	code = run(genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &errOut}, args)
	return out.String(), errOut.String(), code
}

// succeed runs the command, and fails the test if the exit code is not 0.
func succeed(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := invoke(t, stdin, args...)
	if code != 0 {
		t.Fatalf("kubectl kongdao %s: exit %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// diff runs the command with --diff. The exit code says whether there are differences.
func diff(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := invoke(t, stdin, append(args, "--diff")...)
	if want := map[bool]int{false: 0, true: exitDifferences}[stdout != ""]; code != want {
		t.Fatalf("kubectl kongdao %s --diff: exit %d, want %d\n%s", strings.Join(args, " "), code, want, stderr)
	}
	return stdout
}

type goldenCase struct {
	reason string
	args   []string
	code   int
}

// TestGolden runs the command in the folder of each case in testdata. It compares the output with the files stdout and
// stderr there.
func TestGolden(t *testing.T) {
	cases := map[string]goldenCase{
		"pack": {
			reason: "the default is immutable ConfigMaps with a version and module names as keys; Lua stays readable",
			args:   []string{"pack", "../../../../test/fixtures/plugins/dao-test", "-n", "kong"},
		},
		"pack-flat-mutable": {
			reason: "the keys are file names, and there is no digest",
			args:   []string{"pack", "../../../../test/fixtures/plugins/dao-test", "--flat", "--mutable"},
		},
		"pack-json": {
			reason: "files that are not Lua keep their names, with one ConfigMap for each folder; other text is quoted",
			args:   []string{"pack", "with_data", "-o", "json"},
		},
		"pack-broken": {
			reason: "the output has all problems with the names of the folders, and no manifests",
			args:   []string{"pack", "broken", "no.dots", "absent"},
			code:   1,
		},
		"lint-text": {
			reason: "each finding has its line and a caret, and a plugin for an older Kong has the steps to port it",
			args:   []string{"lint", "tokens", "old"}, code: 1,
		},
		"lint-json":   {reason: "a program can read it", args: []string{"lint", "tokens", "-o", "json"}, code: 1},
		"lint-yaml":   {reason: "as JSON", args: []string{"lint", "tokens", "-o", "yaml"}, code: 1},
		"lint-sarif":  {reason: "code scanning reads it", args: []string{"lint", "tokens", "-o", "sarif"}, code: 1},
		"lint-github": {reason: "GitHub shows it at the line", args: []string{"lint", "tokens", "-o", "github"}, code: 1},
		"lint-manifest": {
			reason: "ConfigMaps have findings of the plugin, and their own",
			args:   []string{"lint", "-f", "source.yaml", "-n", "kong"}, code: 1,
		},
		"lint-fine": {reason: "without errors, the exit code is 0", args: []string{"lint", "tokens"}},
		"lint-usage": {
			reason: "what lint cannot check has the exit code 2, and all problems of the flags are reported",
			args: []string{
				"lint", "a", "b", "--name", "x", "-A", "--fail-on", "all", "--kong-version", "2", "--kong-modules", "no",
			},
			code: 2,
		},
		"inject-chart": {
			reason: "in a Deployment of Kong's chart, three containers get the plugin, and all other lines stay",
			args:   []string{"inject", "-f", "source.yaml", "-f", "kong.yaml", "-n", "kong"},
		},
		"inject-diff": {
			reason: "the diff shows the changes with the line numbers of the file",
			args:   []string{"inject", "-f", ".", "--diff"}, code: 1,
		},
		"inject-styles": {
			reason: "flow style, quotes, comments, indentation and lists stay; aliases are expanded, so pods share no lines",
			args:   []string{"inject", "-f", "input.yaml"},
		},
		"inject-json": {
			reason: "objects from YAML and JSON are in one List",
			args:   []string{"inject", "-f", "input.json", "-f", "source.yaml", "-o", "json"},
		},
		"inject-kinds": {
			reason: "annotations of workloads override those of pod templates; unused annotations give a warning",
			args:   []string{"inject", "-f", "input.yaml"},
		},
		"inject-denied": {
			reason: "all denials have a file and a line, and there are no manifests",
			args:   []string{"inject", "-f", "input.yaml", "-n", "kong"},
			code:   1,
		},
		"inject-policy": {
			reason: "only selected pods that run Kong get the policy's plugin; the library's copy is named; audits warn",
			args: []string{
				"inject", "-f", "source.yaml", "-f", "pods.yaml", "--policy", "policy.yaml", "--policy", "audits.json", "--diff",
			},
			code: 1,
		},
		"inject-policy-denied": {
			reason: "policies deny pods, and malformed policies are denied too, all with a file and a line",
			args:   []string{"inject", "-f", "pods.yaml", "-n", "kong", "--policy", "policy.yaml"},
			code:   1,
		},
		"inject-template": {
			reason: "a template of a chart is not a manifest, and the messages say how to render it",
			args:   []string{"inject", "-f", "annotation.yaml"},
			code:   1,
		},
		"inject-template-syntax": {
			reason: "most templates are not even YAML",
			args:   []string{"inject", "-f", "deployment.yaml"},
			code:   1,
		},
		"inject-wrapped": {
			reason: "annotations that inject cannot follow give a warning with their place; a Template is a list of objects",
			args:   []string{"inject", "-n", "kong", "-f", "source.yaml", "-f", "wrapped.yaml", "--diff"},
			code:   1,
		},
		"inject-nothing": {
			reason: "a user who forgot the annotation sees a note",
			args:   []string{"inject", "-f", "pods.yaml", "--diff"},
		},
		"inject-booleans": {
			reason: "kubectl reads words such as off as booleans, and the API server rejects them",
			args:   []string{"inject", "-f", "pods.yaml"},
			code:   1,
		},
		"inject-malformed": {
			reason: "all malformed documents are reported with a file and a line",
			args:   []string{"inject", "-f", "input.yaml", "-f", "absent.yaml"},
			code:   1,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Join("testdata", name))
			stdout, stderr, code := invoke(t, "", test.args...)
			if code != test.code {
				t.Errorf("%s: exit %d, want %d\n%s", test.reason, code, test.code, stderr)
			}
			compareGolden(t, "stdout", stdout, test.reason)
			compareGolden(t, "stderr", stderr, test.reason)
		})
	}
	checkUnusedFiles(t, cases)
}

func compareGolden(t *testing.T, file, got, reason string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", reason, file, diff)
	}
}

// checkUnusedFiles fails the test if a file in testdata belongs to no case.
func checkUnusedFiles(t *testing.T, cases map[string]goldenCase) {
	t.Helper()
	used := func(path string) bool {
		name, file, _ := strings.Cut(path, "/")
		if slices.Contains([]string{
			clusterGoldens, repairGoldens, statusGoldens, explainGoldens, planGoldens, uninstallGoldens,
			terminalGoldens,
		}, name) {
			return true // the tests of these folders check them
		}
		test, ok := cases[name]
		return ok && (file == "stdout" || file == "stderr" || slices.ContainsFunc(test.args, func(arg string) bool {
			return arg == "." || file == arg || strings.HasPrefix(file, arg+"/")
		}))
	}
	err := fs.WalkDir(os.DirFS("testdata"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !used(path) {
			t.Errorf("testdata/%s belongs to no case", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
