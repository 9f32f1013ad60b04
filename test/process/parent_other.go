//go:build !linux

package process

import "syscall"

// dieWithParent does nothing: only Linux can end a child with its parent. If a test is killed, its children stay.
func dieWithParent() *syscall.SysProcAttr { return nil }
