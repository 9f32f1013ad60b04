package controlplane

import (
	"fmt"
	"os"
	"syscall"
)

// soReusePort is SO_REUSEPORT, which package syscall does not name on every Linux.
const soReusePort = 0xf

// reserve takes a free port of the loopback address and holds it until release is called. The port is bound and not
// listened on: a program that asks for SO_REUSEPORT, and runs as the same user, can have it, and nobody else can.
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
