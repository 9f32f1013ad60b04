package controlplane

import (
	"fmt"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// port is a port on the loopback address.
type port int

func (p port) number() string { return strconv.Itoa(int(p)) }

func (p port) url(scheme string) string {
	return scheme + "://" + net.JoinHostPort(loopback, p.number())
}

// ports are the ports of the programs.
type ports struct {
	etcd, etcdPeer, apiServer, controllerManager port

	releases []func()
}

// reservePorts reserves free ports until release is called. No other control plane and no outgoing connection can take
// a port before the program listens on it. The programs have flags to share their ports, which allows them to listen.
func reservePorts() (ports, error) {
	var p ports
	for _, target := range []*port{&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllerManager} {
		number, release, err := reserve()
		if err != nil {
			p.release()
			return ports{}, fmt.Errorf("find a free port on %s: %w", loopback, err)
		}
		*target = port(number)
		p.releases = append(p.releases, release)
	}
	return p, nil
}

func (p *ports) release() {
	for _, release := range p.releases {
		release()
	}
	p.releases = nil
}
