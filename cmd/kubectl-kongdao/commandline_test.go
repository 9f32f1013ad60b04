package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

type commandLineCase struct {
	reason string
	args   []string
	// stdout and stderr are a part of the output.
	stdout, stderr string
}

func TestHelpAndVersion(t *testing.T) {
	runCommandLines(t, 0, map[string]commandLineCase{
		"version": {
			reason: "the name is the command that users type",
			args:   []string{"--version"},
			stdout: "kubectl kongdao version devel\n",
		},
		"version command": {
			reason: "it does not need a cluster",
			args:   []string{"version", "--client", "-o", "json"},
			stdout: "\"client\": \"devel\"",
		},
		"completion of a command": {
			reason: "kubectl_complete-kongdao calls it",
			args:   []string{"__complete", "migr"},
			stdout: "migration\tRetry",
		},
		"completion of a flag": {
			reason: "the formats are fixed",
			args:   []string{"__complete", "status", "-o", ""},
			stdout: "wide\njson\nyaml\nname\n",
		},
		"completion without a cluster": {
			reason: "there are no names, and no error in the middle of a line",
			args:   []string{"__complete", "logs", ""},
			stdout: ":4\n",
		},
		"help": {
			reason: "the usage has the command that users type",
			args:   []string{"inject", "--help"},
			stdout: "kubectl kongdao inject -f FILE|DIR|-",
		},
	})
}

// TestEveryCommandHasHelp checks that each command explains itself with a text and an example.
func TestEveryCommandHasHelp(t *testing.T) {
	var check func(command *cobra.Command)
	check = func(command *cobra.Command) {
		if command.Long == "" || command.Short == "" || command.Example == "" && !command.HasSubCommands() {
			t.Errorf("%s has no example or no text", command.CommandPath())
		}
		for _, subcommand := range command.Commands() {
			check(subcommand)
		}
	}
	check(newCommand(genericiooptions.NewTestIOStreamsDiscard()))
}

func TestWrongCommandLinesFailWithAMessage(t *testing.T) {
	runCommandLines(t, 1, map[string]commandLineCase{
		"unknown command": {
			reason: "it is not an argument of another command",
			args:   []string{"injct"},
			stderr: `error: unknown command "injct" for "kubectl kongdao"; did you mean "kubectl kongdao inject"?`,
		},
		"unknown flag": {
			reason: "the message says where the flags are",
			args:   []string{"inject", "--bogus"},
			stderr: `error: unknown flag: --bogus; run "kubectl kongdao inject --help" for the flags`,
		},
		"no folder": {
			reason: "the message says what to name",
			args:   []string{"pack"},
			stderr: "error: no folder to pack; name the folder that contains the plugin's handler.lua",
		},
		"no file": {
			reason: "inject does not wait for standard input",
			args:   []string{"inject"},
			stderr: "error: no input; name files or folders with -f, or use -f - for standard input",
		},
		"file without -f": {
			reason: "users of other commands write it this way",
			args:   []string{"inject", "kong.yaml", "dao-test.yaml"},
			stderr: `error: inject reads files only with -f; write "kubectl kongdao inject -f kong.yaml -f dao-test.yaml"`,
		},
		"unknown output format": {
			reason: "the error comes before anything is read",
			args:   []string{"inject", "-f", "-", "-o", "wide"},
			stderr: `error: unknown output format "wide"; use -o yaml or -o json`,
		},
		"standard input twice": {
			reason: "it can be read once",
			args:   []string{"inject", "-f", "-", "-f", "-"},
			stderr: "error: -f - is given twice",
		},
		"standard input for two flags": {
			reason: "one of them would read nothing",
			args:   []string{"inject", "-f", "-", "--policy", "-"},
			stderr: "error: -f - and --policy - are both given, but standard input can be read only once; " +
				"use a file for one of them",
		},
		"policies twice from standard input": {
			reason: "it can be read once",
			args:   []string{"inject", "-f", "testdata/inject-diff", "--policy", "-,-"},
			stderr: "error: --policy - is given twice",
		},
		"missing policy": {
			reason: "without the policy, inject would allow everything",
			args:   []string{"inject", "-f", "testdata/inject-diff", "--policy", "absent.yaml"},
			stderr: `error: --policy "absent.yaml": no such file or directory; check the path`,
		},
		"one version for two folders": {
			reason: "two plugins rarely have the same version",
			args:   []string{"pack", "a", "b", "--version", "1.0.0"},
			stderr: "error: --name and --version apply to one folder, but there are 2",
		},
		"two folders for one ConfigMap": {
			reason: "one ConfigMap would overwrite the other in the cluster",
			args:   []string{"pack", fixture, fixture},
			stderr: `both produce ConfigMap "dao-test-1.1.0-`,
		},
		"a file instead of a folder": {
			reason: "the message says what to name",
			args:   []string{"pack", fixture + "/handler.lua"},
			stderr: `dao-test/handler.lua": is not a folder; name the folder that contains handler.lua`,
		},
		"folder without manifests": {
			reason: "an empty output would look like success",
			args:   []string{"inject", "-f", "testdata"},
			stderr: `error: folder "testdata" has no *.yaml, *.yml or *.json files; name other files, or use -R`,
		},
		"subfolders without manifests": {
			reason: "the message does not propose -R again",
			args:   []string{"inject", "-R", "-f", "testdata/pack-broken"},
			stderr: `error: folder "testdata/pack-broken" and its subfolders have no *.yaml, *.yml or *.json files; name`,
		},
	})
}

func runCommandLines(t *testing.T, wantCode int, cases map[string]commandLineCase) {
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := invoke(t, "", test.args...)
			if code != wantCode || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("%s: exit %d, want %d\nstdout: %s\nstderr: %s", test.reason, code, wantCode, stdout, stderr)
			}
			if wantCode != 0 && stdout != "" {
				t.Errorf("%s: the command failed, but it printed %s", test.reason, stdout)
			}
		})
	}
}
