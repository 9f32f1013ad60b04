package webhookserver

import (
	"net"
	"net/netip"
	"testing"
)

// fakeConn is a connection from an address.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from + ":1"))
}

func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}

// TestConnectionsAreShared checks which connection is closed when all are in use.
func TestConnectionsAreShared(t *testing.T) {
	const apiServer, hostile, other = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	for name, test := range map[string]struct {
		reason string
		// open are the addresses of the open connections, oldest first. answering are the indexes of those whose requests
		// are being answered.
		open      []string
		answering []int
		newcomer  string
		// closed is the index of the connection that is closed. It is len(open) for the newcomer, and -1 for none.
		closed int
	}{
		"free place": {"nothing is closed within the limit", []string{hostile, hostile, hostile}, nil, hostile, -1},
		"hostile client": {"the newcomer would have the most", []string{hostile, hostile, hostile, hostile}, nil,
			hostile, 4},
		"API server":      {"it has fewer", []string{hostile, hostile, hostile, hostile}, nil, apiServer, 0},
		"longest waiting": {"a request is answered", []string{hostile, hostile, hostile, hostile}, []int{0, 1}, apiServer, 2},
		"all answering": {"requests are answered", []string{hostile, hostile, hostile, hostile}, []int{0, 1, 2, 3},
			apiServer, 4},
		"most connections": {"others keep their connections", []string{other, apiServer, hostile, hostile}, nil,
			apiServer, 2},
		"equal shares": {"no address has more", []string{apiServer, apiServer, hostile, hostile}, nil, hostile, 4},
		"many addresses": {"an address without a connection gets one",
			[]string{"10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4"}, nil, apiServer, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var rejected []netip.Addr
			c := connections{max: 4, rejected: func(address netip.Addr) { rejected = append(rejected, address) }}
			var conns []*fakeConn
			var added []*connection
			for i, address := range append(test.open, test.newcomer) {
				conns = append(conns, &fakeConn{from: address})
				if i == len(test.open) {
					for _, index := range test.answering {
						added[index].answer()
					}
				}
				connection := c.add(conns[i])
				if connection != nil {
					connection.waitingSince.Store(int64(i + 1))
				}
				added = append(added, connection)
			}
			for i, conn := range conns {
				if conn.closed != (i == test.closed) {
					t.Errorf("%s: connection %d of %s is closed: %v", test.reason, i, conn.from, conn.closed)
				}
			}
			if test.closed >= 0 && (len(rejected) != 1 || rejected[0].String() != conns[test.closed].from) {
				t.Errorf("reported %v", rejected)
			}
			for _, connection := range added {
				if connection != nil {
					_ = connection.Close()
				}
			}
			if c.count != 0 || len(c.byAddress) != 0 {
				t.Errorf("%d connections are left after all are closed: %v", c.count, c.byAddress)
			}
		})
	}
}
