package kcp

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"nt/transport/wire"
)

// packetConn is the virtual socket under one KCP session. It has net.PacketConn's methods
// and no others, so that kcp-go cannot find a real socket behind it.
type packetConn struct {
	session *wire.Session
	addr    *net.UDPAddr
	in      chan *packet
	free    sync.Pool // of *packet
	start   time.Time
	once    sync.Once
	closed  chan struct{}
	ready   chan struct{} // closed when kcp is set

	kcp    *kcpgo.UDPSession // constant once ready
	window int               // KCP's send window; reading goroutine only, like the next two
	pushes int               // packets with data not yet acknowledged
	ackNow bool              // KCP's setting

	mu      sync.Mutex
	control *control // nil: KCP's own congestion window is on, or none
}

type packet struct {
	n    int
	data [wire.MaxPacket]byte
}

func newPacketConn(s *wire.Session, depth int, c *control) *packetConn {
	conn := &packetConn{session: s, addr: net.UDPAddrFromAddrPort(s.Addr()), in: make(chan *packet, depth),
		start: time.Now(), closed: make(chan struct{}), ready: make(chan struct{}), control: c}
	s.Handle(wire.ChannelKCP, conn.receive)
	return conn
}

// receive queues a packet of the session; what finds no room is lost, and KCP repeats it.
func (c *packetConn) receive(b []byte) {
	p, ok := c.free.Get().(*packet)
	if !ok {
		p = new(packet)
	}
	p.n = copy(p.data[:], b)
	select {
	case c.in <- p:
	default:
		c.free.Put(p)
	}
}

// ReadFrom gives kcp-go the next packet.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-c.ready:
	case <-c.closed:
		return 0, nil, io.EOF
	}
	select {
	case p := <-c.in:
		n := copy(b, p.data[:p.n])
		c.free.Put(p)
		c.heard(b[:n])
		return n, c.addr, nil
	case <-c.session.Done():
		return 0, nil, io.EOF
	case <-c.closed:
		return 0, nil, io.EOF
	}
}

// heard sets KCP's window and when it acknowledges, before KCP sees the packet: at
// once when two packets or more have come and no other waits, else within KCP's interval.
func (c *packetConn) heard(b []byte) {
	if c.control != nil {
		c.mu.Lock()
		window := c.control.heard(b, time.Since(c.start))
		c.mu.Unlock()
		if window != c.window {
			c.window = window
			c.kcp.SetWindowSize(window, 0)
		}
	}
	if len(b) >= header && b[4] == cmdPush || len(b) >= 2*header && binary.LittleEndian.Uint32(b[20:]) == 0 {
		c.pushes++
	}
	now := c.pushes >= 2 && len(c.in) == 0
	if now {
		c.pushes = 0
	}
	if now != c.ackNow {
		c.ackNow = now
		c.kcp.SetACKNoDelay(now)
	}
}

// WriteTo drops what the session does not take for now, as a network would.
func (c *packetConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if c.control != nil {
		c.mu.Lock()
		ok := c.control.sent(b, time.Since(c.start))
		c.mu.Unlock()
		if !ok {
			return len(b), nil
		}
	}
	_ = c.session.Send(wire.ChannelKCP, b)
	return len(b), nil
}

func (c *packetConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *packetConn) LocalAddr() net.Addr              { return c.session.LocalAddr() }
func (c *packetConn) SetDeadline(time.Time) error      { return nil }
func (c *packetConn) SetReadDeadline(time.Time) error  { return nil }
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }
