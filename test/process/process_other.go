//go:build !linux

package process

import "syscall"

// dieWithParent has nothing to offer here: a test that is killed leaves its processes behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
