package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"kongdao.io/kongdao/pkg/verify"
)

// runLocally runs Kong with a container runtime on this machine.
func (v *verifier) runLocally(ctx context.Context, folder string) (verify.Result, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return verify.Result{}, fmt.Errorf("%q is not a folder; --local does not read releases from a cluster", folder)
	}
	name, err := pluginName(folder, v.name)
	if err != nil {
		return verify.Result{}, fmt.Errorf("folder %q: %w", folder, err)
	}
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return verify.Result{}, fmt.Errorf("folder %q: %w", folder, err)
	}
	command := verify.LocalCommand(v.local, v.image, absolute, name)
	running := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the user chooses the runtime
	running.Stderr = v.streams.ErrOut
	output, err := running.Output()
	if ctx.Err() != nil {
		return verify.Result{}, fmt.Errorf("no result after %s; use --timeout to wait longer", v.timeout)
	}
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		return verify.Result{}, fmt.Errorf("run %s: %w", v.local, err)
	}
	return verify.ParseOutput(string(output)), nil // the result says whether Kong failed
}
