package contract

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
)

// Command is a running command, for Runners that run commands on this machine.
type Command struct {
	command        *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{} // closed when the command has ended; err is set before that
	err            error
}

// StartCommand starts a command and captures its output.
func StartCommand(command *exec.Cmd) (*Command, error) {
	c := &Command{command: command, done: make(chan struct{})}
	command.Stdout, command.Stderr = &c.stdout, &c.stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.err = command.Wait()
		close(c.done)
	}()
	return c, nil
}

// PID returns the command's process ID.
func (c *Command) PID() int { return c.command.Process.Pid }

// Done returns a channel that is closed when the command has ended.
func (c *Command) Done() <-chan struct{} { return c.done }

// Wait waits until the command or ctx has ended. It does not end the command.
func (c *Command) Wait(ctx context.Context) (Result, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	if _, exited := errors.AsType[*exec.ExitError](c.err); c.err != nil && !exited {
		return Result{}, c.err
	}
	return Result{Stdout: c.stdout.String(), Stderr: c.stderr.String(), Exit: c.command.ProcessState.ExitCode()}, nil
}
