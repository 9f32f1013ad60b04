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

var update = flag.Bool("update", false, "write the golden files instead of comparing")

// invoke runs the command as a process would, hermetically: no kubeconfig.
func invoke(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, errOut bytes.Buffer
	code = run(genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &errOut}, args)
	return out.String(), errOut.String(), code
}

// succeed invokes the command and fails the test unless it exits 0.
func succeed(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := invoke(t, stdin, args...)
	if code != 0 {
		t.Fatalf("kubectl kongdao %s: exit %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// Each case is a folder in testdata: what it reads, and in stdout and stderr
// what it prints. The commands run in that folder.
func TestGolden(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		code   int
	}{
		"pack": {
			reason: "the default form of the fixture: immutable, versioned, module keys, Lua that people can read",
			args:   []string{"pack", "../../../../test/fixtures/plugins/dao-test", "-n", "kong"},
		},
		"pack-flat-mutable": {
			reason: "plain keys, and nothing of a digest",
			args:   []string{"pack", "../../../../test/fixtures/plugins/dao-test", "--flat", "--mutable"},
		},
		"pack-json": {
			reason: "other files than Lua keep their names, in a ConfigMap a folder; text that no literal block holds is quoted",
			args:   []string{"pack", "with_data", "-o", "json"},
		},
		"pack-broken": {
			reason: "all that is wrong is said at once, in words of folders, and nothing is printed",
			args:   []string{"pack", "broken", "no.dots", "absent"},
			code:   1,
		},
		"inject-chart": {
			reason: "a Deployment as the chart writes it: three containers of Kong get the plugin, the controller and all else stay",
			args:   []string{"inject", "-f", "source.yaml", "-f", "kong.yaml", "-n", "kong"},
		},
		"inject-diff": {
			reason: "a diff of what changes, with the lines of the file",
			args:   []string{"inject", "-f", ".", "--diff"},
		},
		"inject-styles": {
			reason: "flow, quotes, comments, deep indentation and lists stay as they are; aliases are expanded before one pod's share would reach another",
			args:   []string{"inject", "-f", "input.yaml"},
		},
		"inject-json": {
			reason: "one List, of YAML and JSON alike",
			args:   []string{"inject", "-f", "input.json", "-f", "source.yaml", "-o", "json"},
		},
		"inject-kinds": {
			reason: "annotations are carried from workloads, whose own win; where they have no effect a warning says so",
			args:   []string{"inject", "-f", "input.yaml"},
		},
		"inject-denied": {
			reason: "every denial with its file and line, and no output",
			args:   []string{"inject", "-f", "input.yaml", "-n", "kong"},
			code:   1,
		},
		"inject-policy": {
			reason: "a Kong pod that asks for nothing gets a policy's plugin from the library alone, its copy is named; others, in other namespaces or without, do not; audits warn",
			args:   []string{"inject", "-f", "source.yaml", "-f", "pods.yaml", "--policy", "policy.yaml", "--policy", "audits.json", "--diff"},
		},
		"inject-policy-denied": {
			reason: "what policies deny, and policies that the API server would deny, with file and line",
			args:   []string{"inject", "-f", "pods.yaml", "-n", "kong", "--policy", "policy.yaml"},
			code:   1,
		},
		"inject-malformed": {
			reason: "malformed documents are named with file and line, all of them",
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
			golden(t, "stdout", stdout, test.reason)
			golden(t, "stderr", stderr, test.reason)
		})
	}
	checkUnused(t, func(path string) bool {
		name, file, _ := strings.Cut(path, "/")
		test, ok := cases[name]
		return ok && (file == "stdout" || file == "stderr" || slices.ContainsFunc(test.args, func(arg string) bool {
			return arg == "." || file == arg || strings.HasPrefix(file, arg+"/")
		}))
	})
}

func golden(t *testing.T, file, got, reason string) {
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

// checkUnused fails for files in testdata that no case needs.
func checkUnused(t *testing.T, used func(path string) bool) {
	t.Helper()
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

func TestCommandLine(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"version": {
			reason: "kubectl shows it as its own",
			args:   []string{"--version"}, stdout: "kubectl kongdao version devel\n",
		},
		"help": {
			reason: "examples name the command as people type it",
			args:   []string{"inject", "--help"}, stdout: "kubectl kongdao inject -f FILE|DIR|-",
		},
		"unknown command": {
			reason: "never taken for an argument",
			args:   []string{"injct"}, code: 1, stderr: `error: unknown command "injct" for "kubectl kongdao"`,
		},
		"nothing to pack": {
			reason: "says what belongs there",
			args:   []string{"pack"}, code: 1, stderr: "error: nothing to pack; name a plugin's folder",
		},
		"nothing to inject": {
			reason: "does not wait for standard input",
			args:   []string{"inject"}, code: 1, stderr: "error: nothing to read; name files or folders with -f",
		},
		"unknown output": {
			reason: "denied before anything is read",
			args:   []string{"inject", "-f", "-", "-o", "wide"}, code: 1, stderr: `error: there is no output "wide"; use -o yaml or -o json`,
		},
		"standard input twice": {
			reason: "it can be read once",
			args:   []string{"inject", "-f", "-", "-f", "-"}, code: 1, stderr: "error: -f - is given twice",
		},
		"standard input for two flags": {
			reason: "one of them would read nothing",
			args:   []string{"inject", "-f", "-", "--policy", "-"}, code: 1, stderr: "error: -f - and --policy - are both given, and standard input can be read once; name a file with one of them",
		},
		"policies twice from standard input": {
			reason: "it can be read once",
			args:   []string{"inject", "-f", "testdata/inject-diff", "--policy", "-,-"}, code: 1, stderr: "error: --policy - is given twice",
		},
		"absent policy": {
			reason: "without it everything would be allowed",
			args:   []string{"inject", "-f", "testdata/inject-diff", "--policy", "absent.yaml"}, code: 1, stderr: "error: stat absent.yaml: no such file or directory",
		},
		"one version for two folders": {
			reason: "two plugins have one version by accident at most",
			args:   []string{"pack", "a", "b", "--version", "1.0.0"}, code: 1, stderr: "error: --name and --version are for one folder, and there are 2",
		},
		"two folders make one ConfigMap": {
			reason: "one would overwrite the other in the cluster",
			args:   []string{"pack", "../../test/fixtures/plugins/dao-test", "../../test/fixtures/plugins/dao-test"}, code: 1,
			stderr: `both make ConfigMap "dao-test-1.1.0-`,
		},
		"folder without manifests": {
			reason: "an empty answer would look like success",
			args:   []string{"inject", "-f", "testdata"}, code: 1, stderr: `error: folder "testdata" has no *.yaml, *.yml or *.json`,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := invoke(t, "", test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("%s: exit %d, want %d\nstdout: %s\nstderr: %s", test.reason, code, test.code, stdout, stderr)
			}
			if test.code != 0 && stdout != "" {
				t.Errorf("%s: printed though it failed: %s", test.reason, stdout)
			}
		})
	}
}
