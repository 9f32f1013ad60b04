package contract

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
)

// Started is a command that runs, for Runners that run commands on this machine.
type Started struct {
	command        *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{}
	err            error
}

// Start starts a command and keeps what it prints.
func Start(command *exec.Cmd) (*Started, error) {
	s := &Started{command: command, done: make(chan struct{})}
	command.Stdout, command.Stderr = &s.stdout, &s.stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = command.Wait()
		close(s.done)
	}()
	return s, nil
}

// Pid is the command's process.
func (s *Started) PID() int { return s.command.Process.Pid }

// Done is closed when the command has ended.
func (s *Started) Done() <-chan struct{} { return s.done }

// Wait waits for the command's end, or ctx's, which leaves it to run.
func (s *Started) Wait(ctx context.Context) (Result, error) {
	select {
	case <-s.done:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	if _, exited := errors.AsType[*exec.ExitError](s.err); s.err != nil && !exited {
		return Result{}, s.err
	}
	return Result{Stdout: s.stdout.String(), Stderr: s.stderr.String(), Exit: s.command.ProcessState.ExitCode()}, nil
}
