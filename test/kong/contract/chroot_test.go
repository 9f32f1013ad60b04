//go:build e2e && linux

package contract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// mount shows the root read-only, with what a container has of its own.
func mount(root, at string) error {
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	steps := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{root, "", "", syscall.MS_BIND, ""},
		{"", "", "", syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"tmpfs", "/tmp", "tmpfs", 0, "mode=1777"},
		{"tmpfs", "/dev", "tmpfs", 0, "mode=755"},
	}
	for _, step := range steps {
		if err := syscall.Mount(step.source, at+step.target, step.kind, step.flags, step.data); err != nil {
			return fmt.Errorf("mount %s at %s%s: %w", step.source, at, step.target, err)
		}
	}
	devices := map[string]int{"null": 1<<8 | 3, "zero": 1<<8 | 5, "urandom": 1<<8 | 9, "random": 1<<8 | 8}
	for name, number := range devices {
		if err := syscall.Mknod(at+"/dev/"+name, syscall.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("make /dev/%s: %w", name, err)
		}
		if err := os.Chmod(at+"/dev/"+name, 0o666); err != nil {
			return err
		}
	}
	if err := os.WriteFile(at+"/dev/termination-log", nil, 0o600); err != nil {
		return err
	}
	for name, target := range map[string]string{"stdin": "0", "stdout": "1", "stderr": "2"} {
		if err := os.Symlink("/proc/self/fd/"+target, at+"/dev/"+name); err != nil {
			return err
		}
	}
	return os.Chmod(at+"/dev/termination-log", 0o666)
}

func command(root string, user uint32, env map[string]string, words ...string) *exec.Cmd {
	made := exec.Command(words[0], words[1:]...)
	made.Dir, made.Env = "/", []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	for name, value := range env {
		made.Env = append(made.Env, name+"="+value)
	}
	// The program is looked up in the root, not here.
	made.Path, made.Err = "/usr/bin/env", nil
	made.Args = append([]string{"env"}, words...)
	made.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Setpgid: true, Credential: &syscall.Credential{Uid: user, Gid: user}}
	return made
}

// process is a command by chroot, in a process group of its own.
type process struct{ *Started }

func (p *process) Kill() error {
	err := syscall.Kill(-p.PID(), syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (p *process) Wait(ctx context.Context) (Result, error) {
	result, err := p.Started.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		_ = p.Kill()
		<-p.Done() // what it has printed is complete then
		printed, _ := p.Started.Wait(context.WithoutCancel(ctx))
		return Result{}, fmt.Errorf("%w: %s%s", err, printed.Stdout, printed.Stderr)
	}
	return result, err
}
