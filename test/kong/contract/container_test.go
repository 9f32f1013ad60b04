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

// mountRoot mounts an image's root filesystem read-only at a new directory, with the file systems of a container.
func mountRoot(root, at string) error {
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	mounts := []struct {
		source, target, fsType string
		flags                  uintptr
		data                   string
	}{
		{root, "", "", syscall.MS_BIND, ""},
		{"", "", "", syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"tmpfs", "/tmp", "tmpfs", 0, "mode=1777"},
		{"tmpfs", "/dev", "tmpfs", 0, "mode=755"},
	}
	for _, mount := range mounts {
		if err := syscall.Mount(mount.source, at+mount.target, mount.fsType, mount.flags, mount.data); err != nil {
			return fmt.Errorf("mount %s at %s%s: %w", mount.source, at, mount.target, err)
		}
	}
	return createDevices(at + "/dev/")
}

// createDevices creates the devices of a container in a directory.
func createDevices(dir string) error {
	numbers := map[string]int{"null": 1<<8 | 3, "zero": 1<<8 | 5, "urandom": 1<<8 | 9, "random": 1<<8 | 8}
	for name, number := range numbers {
		if err := syscall.Mknod(dir+name, syscall.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("create /dev/%s: %w", name, err)
		}
		if err := os.Chmod(dir+name, 0o666); err != nil {
			return err
		}
	}
	for name, descriptor := range map[string]string{"stdin": "0", "stdout": "1", "stderr": "2"} {
		if err := os.Symlink("/proc/self/fd/"+descriptor, dir+name); err != nil {
			return err
		}
	}
	const terminationLog = "termination-log"
	if err := os.WriteFile(dir+terminationLog, nil, 0o600); err != nil {
		return err
	}
	return os.Chmod(dir+terminationLog, 0o666)
}

// containerCommand returns a command that runs in a root filesystem as a user, in its own process group.
func containerCommand(root string, user uint32, env map[string]string, words ...string) *exec.Cmd {
	// The program env finds the command in the root filesystem. exec.Command would search on this machine.
	cmd := &exec.Cmd{Path: "/usr/bin/env", Args: append([]string{"env"}, words...), Dir: "/"}
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Setpgid: true, Credential: &syscall.Credential{Uid: user, Gid: user},
	}
	return cmd
}

// containerProcess is a running containerCommand.
type containerProcess struct{ *Command }

// Kill implements Process.
func (p *containerProcess) Kill() error {
	err := syscall.Kill(-p.PID(), syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// Wait implements Process. If ctx ends, it kills the process and returns its output in the error.
func (p *containerProcess) Wait(ctx context.Context) (Result, error) {
	result, err := p.Command.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		_ = p.Kill()
		<-p.Done() // the output is complete after this
		partial, _ := p.Command.Wait(context.WithoutCancel(ctx))
		return Result{}, fmt.Errorf("%w: %s%s", err, partial.Stdout, partial.Stderr)
	}
	return result, err
}
