//go:build !linux

package controlplane

import "net"

// reserve returns a port that is free now. Another program may take it before the caller uses it.
func reserve() (number int, release func(), err error) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, nil, err
	}
	return listener.Addr().(*net.TCPAddr).Port, func() {}, listener.Close()
}
