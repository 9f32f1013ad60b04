// Package process starts programs that end together with this process, also if this process is killed. It keeps their
// output for error messages.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"kongdao.io/kongdao/test/wait"
)

// Process is a started program.
type Process struct {
	name    string
	logFile string
	handle  *os.Process
	done    chan struct{} // closed when the process has ended; exitErr is set before that
	exitErr error
}

// Start starts a program. It appends the program's output to logFile.
func Start(path string, args []string, logFile string) (*Process, error) {
	name := filepath.Base(path)
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()

	p := &Process{name: name, logFile: logFile, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux kills the child when the thread that created it ends, not the process. So this thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = log.Close() // the child has a copy
		if err != nil {
			started <- err
			return
		}
		p.handle = cmd.Process
		started <- nil
		p.exitErr = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// Name returns the name of the program.
func (p *Process) Name() string { return p.name }

// PID returns the process ID.
func (p *Process) PID() int { return p.handle.Pid }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// WaitUntil calls check until it returns nil. It fails if ctx ends or the process ends first. Then the error contains
// the end of the log.
func (p *Process) WaitUntil(ctx context.Context, check func(ctx context.Context) error) error {
	checkCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-checkCtx.Done():
		}
	}()
	err := wait.Until(checkCtx, check)
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		return p.ExitError()
	}
	return fmt.Errorf("wait for %s: %w; last lines of its log:\n%s", p.name, err, p.logTail())
}

// Terminate sends SIGTERM and waits until the process has ended. It returns nil if the exit status is 0.
func (p *Process) Terminate() error {
	if err := p.handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("terminate %s (process %d): %w", p.name, p.handle.Pid, err)
	}
	<-p.done
	return p.exitErr
}

// Kill kills the process and waits until it has ended. It returns an error if the process had already ended.
//
// SIGTERM would take longer: an API server waits for the watches of its clients. The state of the process is not needed
// afterwards.
func (p *Process) Kill() error {
	select {
	case <-p.done:
		return p.ExitError()
	default:
	}
	if err := p.handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s (process %d): %w", p.name, p.handle.Pid, err)
	}
	<-p.done
	return nil
}

// ExitError returns an error for a process that has ended unexpectedly. Call it only after Done.
func (p *Process) ExitError() error {
	status := "exit status 0"
	if p.exitErr != nil {
		status = p.exitErr.Error()
	}
	return fmt.Errorf("%s ended unexpectedly (%s); last lines of its log:\n%s", p.name, status, p.logTail())
}

// logTail returns the end of the log. Errors contain it because tests delete the log when they end.
func (p *Process) logTail() string {
	const maxBytes, maxLines = 16 << 10, 15
	file, err := os.Open(p.logFile)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxBytes {
		_, _ = file.Seek(-maxBytes, io.SeekEnd)
	}
	content, _ := io.ReadAll(file)
	lines := strings.Split(string(bytes.TrimSpace(content)), "\n")
	return "\t" + strings.Join(lines[max(0, len(lines)-maxLines):], "\n\t")
}
