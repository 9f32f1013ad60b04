package webhookserver

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// connections limits the number of open connections, and shares them between the addresses of clients. If all are in
// use, a client with fewer connections than another one takes over the connection of the other that waits for its
// client the longest. So a client that opens as many as it can does not lock out the API server. A connection whose
// request is being answered is never closed.
type connections struct {
	max int
	// rejected is called for each connection that is closed because of the limit, without the lock.
	rejected func(netip.Addr)

	mutex     sync.Mutex
	count     int
	byAddress map[netip.Addr]map[*connection]struct{}
}

// connection is one open connection.
type connection struct {
	net.Conn
	owner   *connections
	address netip.Addr
	// waitingSince is when the server began to wait for the client, in nanoseconds of the Unix time. It is 0 while a
	// complete request is being answered.
	waitingSince atomic.Int64
	// closed is guarded by the mutex of the owner.
	closed bool
	// began is when the header of the current request was complete. timeout is how long its client waits for the answer.
	began   time.Time
	timeout time.Duration
	// body is the body of the current request. A connection has one request at a time.
	body body
}

// limitedListener accepts connections within a limit.
type limitedListener struct {
	net.Listener
	connections *connections
}

// Accept returns the next connection within the limit. It closes the others immediately: a connection that waits for a
// free place would keep an API server waiting until the admission fails.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if added := l.connections.add(accepted); added != nil {
			return added, nil
		}
	}
}

// add adds a connection. It returns nil and closes the connection if there is no place for it.
func (c *connections) add(accepted net.Conn) *connection {
	added := &connection{Conn: accepted, owner: c, address: addressOf(accepted)}
	added.waitForClient()
	c.mutex.Lock()
	var displaced *connection
	if c.count >= c.max {
		if displaced = c.displaceable(added.address); displaced == nil {
			c.mutex.Unlock()
			_ = accepted.Close()
			c.rejected(added.address)
			return nil
		}
		c.remove(displaced)
	}
	if c.byAddress == nil {
		c.byAddress = map[netip.Addr]map[*connection]struct{}{}
	}
	if c.byAddress[added.address] == nil {
		c.byAddress[added.address] = map[*connection]struct{}{}
	}
	c.byAddress[added.address][added] = struct{}{}
	c.count++
	c.mutex.Unlock()
	if displaced != nil {
		_ = displaced.Conn.Close()
		c.rejected(displaced.address)
	}
	return added
}

// displaceable returns the connection that a new one of an address may replace, or nil. Call it with the lock.
func (c *connections) displaceable(newcomer netip.Addr) *connection {
	most := 0
	for _, open := range c.byAddress {
		most = max(most, len(open))
	}
	if most <= len(c.byAddress[newcomer]) {
		return nil
	}
	var longest *connection
	var since int64
	for _, open := range c.byAddress {
		if len(open) < most {
			continue
		}
		for candidate := range open {
			if waiting := candidate.waitingSince.Load(); waiting != 0 && (longest == nil || waiting < since) {
				longest, since = candidate, waiting
			}
		}
	}
	return longest
}

// remove removes a connection, unless it is removed already. Call it with the lock.
func (c *connections) remove(removed *connection) {
	if removed.closed {
		return
	}
	removed.closed = true
	c.count--
	delete(c.byAddress[removed.address], removed)
	if len(c.byAddress[removed.address]) == 0 {
		delete(c.byAddress, removed.address)
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.owner.mutex.Lock()
	c.owner.remove(c)
	c.owner.mutex.Unlock()
	return c.Conn.Close()
}

// waitForClient notes that the server waits for the client from now on.
func (c *connection) waitForClient() { c.waitingSince.Store(time.Now().UnixNano()) }

// answer notes that the server has a complete request.
func (c *connection) answer() { c.waitingSince.Store(0) }

// addressOf returns the address of a client without its port, or the zero value if it has none.
func addressOf(accepted net.Conn) netip.Addr {
	remote, err := netip.ParseAddrPort(accepted.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return remote.Addr().Unmap()
}

// connectionKey is the key of the connection in the context of a request.
type connectionKey struct{}

// withConnection adds the connection to the context of its requests. The connection of an HTTP server is one of TLS.
func withConnection(ctx context.Context, accepted net.Conn) context.Context {
	if wrapped, ok := accepted.(interface{ NetConn() net.Conn }); ok {
		accepted = wrapped.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, accepted)
}
