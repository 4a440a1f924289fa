package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// socketBuffer is how many bytes of datagrams wait for their reader.
const socketBuffer = 256 << 10

// maxDatagram is the longest datagram, in bytes of payload: IP fragments are not emulated.
const maxDatagram = 1472

// packetConn has net.PacketConn's methods and no others, and speaks *net.UDPAddr.
type packetConn struct {
	host  *Host
	local *net.UDPAddr
	read  deadline

	// Guarded by the network's lock.
	port   uint16
	public *net.UDPAddr // the source others see, while there is no NAT
	queue  []*packet
	head   int
	queued int // bytes
	closed bool

	ready chan struct{} // something to read, or closed
}

// ListenPacket opens a UDP socket; port 0 takes a free one.
func (h *Host) ListenPacket(port uint16) (net.PacketConn, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	port, err := h.freePort(port, func(p uint16) bool { return h.sockets[p] != nil })
	if err != nil {
		return nil, fmt.Errorf("listening on UDP: %w", err)
	}
	c := &packetConn{host: h, port: port, read: newDeadline(), ready: make(chan struct{}, 1),
		local:  net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.local, port)),
		public: net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.addr, port))}
	h.sockets[port] = c
	return c, nil
}

// put hands a datagram to the reader; the caller holds the lock.
func (c *packetConn) put(p *packet) {
	if c.closed || c.queued+len(p.buf) > socketBuffer {
		c.host.traffic.Overruns++
		c.host.net.release(p)
		return
	}
	c.queue = append(c.queue, p)
	c.queued += len(p.buf)
	signal(c.ready)
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if c.read.passed() {
			return 0, nil, os.ErrDeadlineExceeded
		}
		if n, from, err, ok := c.take(b); ok {
			return n, from, err
		}
		select {
		case <-c.ready:
		case <-c.read.wait():
		}
	}
}

func (c *packetConn) take(b []byte) (size int, from net.Addr, err error, ok bool) {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		signal(c.ready) // for other readers
		return 0, nil, net.ErrClosed, true
	}
	if c.head == len(c.queue) {
		return 0, nil, nil, false
	}
	p := c.queue[c.head]
	c.queue[c.head] = nil
	if c.head++; c.head == len(c.queue) {
		c.queue, c.head = c.queue[:0], 0
	} else {
		signal(c.ready)
	}
	c.queued -= len(p.buf)
	size, from = copy(b, p.buf), p.from
	n.release(p)
	return size, from, nil, true
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("writing to %v: not a UDP address", to)
	}
	if len(b) > maxDatagram {
		return 0, fmt.Errorf("a datagram of %d bytes is over %d", len(b), maxDatagram)
	}
	dst := addr.AddrPort()
	dst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	now := n.Now()
	p := n.packet()
	p.src, p.dst, p.to = c.host, n.hosts[dst.Addr()], dst
	p.buf = append(p.buf, b...)
	p.size = len(b) + headUDP
	p.from, p.source = c.source(dst, now)
	n.send(p, now)
	return len(b), nil
}

// source returns the address the receiver sees.
func (c *packetConn) source(to netip.AddrPort, now time.Duration) (*net.UDPAddr, netip.AddrPort) {
	if c.host.nat == nil {
		return c.public, netip.AddrPortFrom(c.host.addr, c.port)
	}
	a := netip.AddrPortFrom(c.host.addr, c.host.nat.out(c.port, to, now))
	return net.UDPAddrFromAddrPort(a), a
}

func (c *packetConn) Close() error {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	delete(c.host.sockets, c.port)
	c.shut()
	return nil
}

func (c *packetConn) shut() {
	c.closed = true
	for _, p := range c.queue[c.head:] {
		c.host.net.release(p)
	}
	c.queue, c.head = nil, 0
	signal(c.ready)
}

func (c *packetConn) LocalAddr() net.Addr { return c.local }

func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.read.set(t)
	return nil
}

// SetWriteDeadline does nothing: writing never waits.
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }
