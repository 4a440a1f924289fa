//go:build !linux

package udp

import (
	"net"
	"net/netip"
)

// batchSize is how many datagrams one system call moves.
const batchSize = 1

// batch reads and answers one datagram at a time.
type batch struct {
	conn  *net.UDPConn
	slots [batchSize]slot
	peer  netip.AddrPort
}

func newBatch(conn *net.UDPConn) (*batch, error) { return &batch{conn: conn}, nil }

// read waits for datagrams and returns how many there are.
func (b *batch) read() (int, error) {
	n, from, err := b.conn.ReadFromUDPAddrPort(b.slots[0].in[:])
	if err != nil {
		return 0, err
	}
	b.slots[0].n, b.slots[0].ans, b.peer = n, 0, from
	return 1, nil
}

// from returns the sender of datagram i, unmapped.
func (b *batch) from(int) netip.AddrPort {
	return netip.AddrPortFrom(b.peer.Addr().Unmap(), b.peer.Port())
}

// flush sends the answers to where their questions came from. An answer that the
// system does not take is lost, as any datagram may be.
func (b *batch) flush(int) error {
	if s := &b.slots[0]; s.ans > 0 {
		b.conn.WriteToUDPAddrPort(s.out[:s.ans], b.peer) // see above
	}
	return nil
}
