package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Output is what a command prints, and whether it fails.
type Output struct {
	Stdout, Stderr string
	Failed         bool
}

// Kubectl runs kubectl as an administrator, in a namespace and with a standard input.
func (c *Cluster) Kubectl(t *testing.T, namespace, stdin string, arguments ...string) Output {
	t.Helper()
	return RunKubectl(t.Context(), t, c.Plane.Kubeconfig(), stdin,
		append([]string{"--namespace", namespace}, arguments...)...)
}

// MustKubectl is like Kubectl, but fails the test if kubectl fails.
func (c *Cluster) MustKubectl(t *testing.T, namespace, stdin string, arguments ...string) Output {
	t.Helper()
	output := c.Kubectl(t, namespace, stdin, arguments...)
	if output.Failed {
		t.Fatalf("kubectl %s failed: %s", strings.Join(arguments, " "), output.Stderr)
	}
	return output
}

// RunKubectl runs kubectl with a kubeconfig and a standard input.
func RunKubectl(ctx context.Context, t testing.TB, kubeconfig, stdin string, arguments ...string) Output {
	t.Helper()
	flags := []string{"--kubeconfig", kubeconfig, "--cache-dir", t.TempDir()}
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	return RunProgram(ctx, t, program, stdin, append(flags, arguments...)...)
}

// RunProgram runs a program with a standard input, for MaxWait at most. The program gets neither the environment nor
// the kubeconfig of the user who runs the tests.
func RunProgram(ctx context.Context, t testing.TB, program, stdin string, arguments ...string) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		t.Fatal(err)
	}
	return Output{Stdout: stdout.String(), Stderr: stderr.String(), Failed: err != nil}
}
