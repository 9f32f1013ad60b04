package controlplane

import (
	"fmt"
	"os"
	"syscall"
)

// soReusePort is SO_REUSEPORT. Package syscall does not define it for all architectures of Linux.
const soReusePort = 0xf

// reserve reserves a free port on the loopback address until release is called. It binds the port but does not listen.
// Only a program of the same user that sets SO_REUSEPORT can use the port.
func reserve() (number int, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	release = func() { _ = syscall.Close(fd) }
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1); err != nil {
		release()
		return 0, nil, os.NewSyscallError("setsockopt SO_REUSEPORT", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		release()
		return 0, nil, os.NewSyscallError("bind", err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		release()
		return 0, nil, os.NewSyscallError("getsockname", err)
	}
	inet4, ok := address.(*syscall.SockaddrInet4)
	if !ok {
		release()
		return 0, nil, fmt.Errorf("getsockname returned a %T", address)
	}
	return inet4.Port, release, nil
}
