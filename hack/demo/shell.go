package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/installation"
)

// waitTimeout limits each wait.
const waitTimeout = time.Minute

// shell runs commands in the project's root, as a user types them.
type shell struct {
	*screen
	kubeconfig string
	// path has the folders that come before the user's PATH.
	path string
}

func newShell(out *screen, kubeconfig string, folders ...string) *shell {
	return &shell{screen: out, kubeconfig: kubeconfig, path: strings.Join(folders, string(os.PathListSeparator))}
}

// run prints a command, and its output.
func (s *shell) run(ctx context.Context, line string) error {
	fmt.Fprintln(s, s.paint(green, "$ "+line))
	command := s.command(ctx, line)
	command.Stdout, command.Stderr = s, s
	if err := command.Run(); err != nil {
		return fmt.Errorf("run %q: %w", line, err)
	}
	return nil
}

// runDenied is like run, but for a command that must fail.
func (s *shell) runDenied(ctx context.Context, line string) error {
	err := s.run(ctx, line)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("run %q: it succeeded, but the demo expects it to fail", line)
	}
	return err
}

// output runs a command and returns its output.
func (s *shell) output(ctx context.Context, line string) (string, error) {
	output, err := s.command(ctx, line).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run %q: %w\n%s", line, err, output)
	}
	return string(output), nil
}

// waitForOutput runs a command until it prints something.
func (s *shell) waitForOutput(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	for {
		var stdout, stderr bytes.Buffer
		command := s.command(ctx, line)
		command.Stdout, command.Stderr = &stdout, &stderr
		if err := command.Run(); err != nil {
			return "", fmt.Errorf("run %q: %w\n%s", line, err, &stderr)
		}
		if strings.TrimSpace(stdout.String()) != "" {
			return stdout.String(), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("run %q: no output within %s: %w", line, waitTimeout, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// firstPod waits for a pod with the labels and returns it.
func (s *shell) firstPod(ctx context.Context, labels string) (*corev1.Pod, error) {
	pods := "kubectl get pods -l '" + labels + "' -o "
	name, err := s.waitForOutput(ctx, pods+"name")
	if err != nil {
		return nil, err
	}
	output, err := s.output(ctx, "kubectl get -o yaml "+strings.Fields(name)[0])
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal([]byte(output), pod); err != nil {
		return nil, fmt.Errorf("read the pod with the labels %s: %w", labels, err)
	}
	return pod, nil
}

func (s *shell) command(ctx context.Context, line string) *exec.Cmd {
	command := exec.CommandContext(ctx, "sh", "-c", line) //nolint:gosec // the lines are constants of the demo
	command.Dir = installation.ProjectRoot()
	path := s.path + string(os.PathListSeparator) + os.Getenv("PATH")
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "PATH="+path)
	return command
}
