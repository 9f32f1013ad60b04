package process

import "syscall"

// dieWithParent makes the kernel end the child when this process ends in whatever way, a kill or a test's timeout too.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
