package controlplane

import (
	"fmt"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// port is a port of the loopback address.
type port int

func (p port) number() string { return strconv.Itoa(int(p)) }

func (p port) url(scheme string) string {
	return scheme + "://" + net.JoinHostPort(loopback, p.number())
}

// ports are the ports that the programs listen on.
type ports struct {
	etcd, etcdPeer, apiServer, controllerManager port

	releases []func()
}

// reservePorts takes free ports and holds them as long as the control plane lives, so that two control planes that start
// at once, and the many connections of a test, cannot get between finding a port and listening on it. The programs are
// told to share their ports, which is what lets them in.
func reservePorts() (ports, error) {
	var p ports
	for _, target := range []*port{&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllerManager} {
		number, release, err := reserve()
		if err != nil {
			p.release()
			return ports{}, fmt.Errorf("finding a free port on %s: %w", loopback, err)
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
