// Package process starts programs that end with the test, or the demo, that
// started them, however that ends, and whose output is kept for errors.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Process is a program that was started.
type Process struct {
	name    string
	logFile string
	handle  *os.Process
	done    chan struct{} // closed when the process is gone; exit may be read then
	exit    error
}

// Start starts a program with what it prints going to logFile.
func Start(path string, args []string, logFile string) (*Process, error) {
	name := filepath.Base(path)
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()

	p := &Process{name: name, logFile: logFile, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux kills the child when the thread that made it ends, not the process: this one is held until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = log.Close() // the child has it now
		if err != nil {
			started <- err
			return
		}
		p.handle = cmd.Process
		started <- nil
		p.exit = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// Name is the program's.
func (p *Process) Name() string { return p.name }

// Pid is the process's number.
func (p *Process) Pid() int { return p.handle.Pid }

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Terminate asks the process to end, waits until it is gone and returns how it ended: nil for exit status 0.
func (p *Process) Terminate() error {
	if err := p.handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("asking %s (process %d) to end: %w", p.name, p.handle.Pid, err)
	}
	<-p.done
	return p.exit
}

// Stop ends the process and waits until it is gone. It is killed and not asked: its state is thrown away, and an API
// server that is asked waits for its clients' watches.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return p.Ended()
	default:
	}
	if err := p.handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s (process %d): %w", p.name, p.handle.Pid, err)
	}
	<-p.done
	return nil
}

// Ended says that, and why, a process ended that nobody had ended. Only for after Done.
func (p *Process) Ended() error {
	why := "exit status 0"
	if p.exit != nil {
		why = p.exit.Error()
	}
	return fmt.Errorf("%s ended by itself (%s); its last lines:\n%s", p.name, why, p.LastLines())
}

// LastLines returns the end of the process's log, for an error: the log itself may be removed by the time it is read.
func (p *Process) LastLines() string {
	const bytesRead, linesKept = 16 << 10, 15
	file, err := os.Open(p.logFile)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > bytesRead {
		_, _ = file.Seek(-bytesRead, io.SeekEnd)
	}
	content, _ := io.ReadAll(file)
	lines := strings.Split(string(bytes.TrimSpace(content)), "\n")
	return "\t" + strings.Join(lines[max(0, len(lines)-linesKept):], "\n\t")
}
