//go:build e2e && linux

package contract

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// isolatedVariable is an environment variable that is set in the process with its own namespaces.
const isolatedVariable = "CONTRACT_ISOLATED"

// TestMain runs the tests in a process with its own network, mount and PID namespaces. So all ports are free, and no
// mount or process remains after the tests.
func TestMain(m *testing.M) {
	if os.Getenv(isolatedVariable) != "" {
		exitOnError(setUpNamespaces())
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the tests need root: they use chroot and create namespaces")
		os.Exit(1)
	}
	signal.Ignore(os.Interrupt)
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Env = append(os.Environ(), isolatedVariable+"=1")
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	exitOnError(self.Run())
}

func exitOnError(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// setUpNamespaces makes the mounts private and activates the loopback device.
func setUpNamespaces() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("activate the loopback device: %w", err)
	}
	defer syscall.Close(socket)
	// The message has a header and an ifinfomsg. The ifinfomsg sets the flag IFF_UP of device 1, and no other flag.
	var message []byte
	order := binary.NativeEndian
	message = order.AppendUint32(message, syscall.SizeofNlMsghdr+syscall.SizeofIfInfomsg)
	message = order.AppendUint16(message, syscall.RTM_NEWLINK)
	message = order.AppendUint16(message, syscall.NLM_F_REQUEST)
	for _, field := range []uint32{0, 0, 0, 1, syscall.IFF_UP, syscall.IFF_UP} {
		message = order.AppendUint32(message, field)
	}
	return syscall.Sendto(socket, message, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
}
