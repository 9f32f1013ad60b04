package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// asProcess is an environment variable that turns the test binary into the controller.
const asProcess = "KONGDAO_TEST_AS_CONTROLLER"

func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run runs the controller without a cluster.
func run(ctx context.Context, arguments ...string) (stdout, stderr string, err error) {
	process := exec.CommandContext(ctx, os.Args[0], arguments...)
	// An empty environment, so that the process does not find a real cluster.
	process.Env = []string{asProcess + "=1", "HOME=/does/not/exist"}
	var out, errs bytes.Buffer
	process.Stdout, process.Stderr = &out, &errs
	err = process.Run()
	return out.String(), errs.String(), err
}

// TestProcessOutput checks what processes print that end before they run controllers.
func TestProcessOutput(t *testing.T) {
	for name, test := range map[string]struct {
		arguments      []string
		stdout, stderr string
	}{
		"version": {[]string{"--version"}, version + "\n", ""},
		"no flags": {nil, "", "controller: --migrations, --policies: the controller has nothing to do; set at least one of " +
			"the flags\n--namespace \"\": invalid namespace"},
		"no cluster": {[]string{"--migrations", "--namespace=x"}, "", "controller: find the cluster: "},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := run(t.Context(), test.arguments...)
			if stdout != test.stdout || !strings.Contains(stderr, test.stderr) || (err == nil) != (test.stderr == "") {
				t.Errorf("stdout %q, stderr %q, error %v", stdout, stderr, err)
			}
		})
	}
}

// TestHelp checks that --help lists every flag.
func TestHelp(t *testing.T) {
	help, _, err := run(t.Context(), "--help")
	if err != nil {
		t.Fatal(err)
	}
	options := DefaultOptions()
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	options.AddFlags(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		// The second form is that of a boolean flag.
		if !strings.Contains(help, "--"+flag.Name+" ") && !strings.Contains(help, "--"+flag.Name+"[=") {
			t.Errorf("--%s is missing", flag.Name)
		}
	})
}
