package process

import "syscall"

// dieWithParent makes the kernel kill the child when this process ends, even if it is killed or a test has a timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
