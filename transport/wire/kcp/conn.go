package kcp

import (
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
	in      *inbox
	free    sync.Pool // of *packet
	start   time.Time
	once    sync.Once
	closed  chan struct{}
	ready   chan struct{} // closed when kcp is set

	kcp     *kcpgo.UDPSession // constant once ready
	missed  func()            // constant once ready; may be nil
	window  int               // KCP's send window; reading goroutine only, like the next three
	gaps    gaps
	doze    dozer
	pressed bool // the peer waits for acknowledgements
	ackNow  bool // KCP's setting

	mu      sync.Mutex
	history history
	control *control // nil: KCP's own congestion window is on, or none
	rider   rider
	timer   *time.Timer // runs overdue; nil before the first acknowledgement was held
}

type packet struct {
	n     int
	data  [maxExpanded]byte // as KCP reads it
	marks marks
}

// maxExpanded is the longest packet in KCP's form: a full one, and the
// acknowledgements that ride on it.
const maxExpanded = wire.MaxPacket + maxRiding*header

func newPacketConn(s *wire.Session, depth int, c *control) *packetConn {
	conn := &packetConn{session: s, addr: net.UDPAddrFromAddrPort(s.Addr()), in: newInbox(depth),
		start: time.Now(), closed: make(chan struct{}), ready: make(chan struct{}), control: c}
	s.Handle(wire.ChannelKCP, conn.receive)
	return conn
}

// receive queues a packet of the session; what finds no room is lost, and KCP repeats it.
// What is malformed is dropped.
func (c *packetConn) receive(b []byte) {
	c.doze.note()
	p, ok := c.free.Get().(*packet)
	if !ok {
		p = new(packet)
	}
	whole, m, err := appendExpanded(p.data[:0], b, maxExpanded)
	if err != nil {
		c.free.Put(p)
		return
	}
	p.n, p.marks = len(whole), m
	if !c.in.add(p) {
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
	for {
		select {
		case <-c.closed:
			return 0, nil, io.EOF
		default:
		}
		if p := c.in.pop(); p != nil {
			n, m := copy(b, p.data[:p.n]), p.marks
			c.free.Put(p)
			return len(c.heard(b[:n], m)), c.addr, nil
		}
		select {
		case <-c.in.some:
		case <-c.session.Done():
			return 0, nil, io.EOF
		case <-c.closed:
			return 0, nil, io.EOF
		}
	}
}

// heard completes a packet, and sets KCP's window and when it acknowledges, before KCP sees it: at
// once when the peer presses and no other packet waits, else within KCP's interval.
func (c *packetConn) heard(b []byte, m marks) []byte {
	gap := c.gaps.heard(b)
	if gap && c.missed != nil {
		c.missed()
	}
	c.pressed = c.pressed || m.pressing
	now := c.pressed && c.in.empty()
	if now {
		c.pressed = false
	}
	c.mu.Lock()
	b = c.history.heard(b)
	window := c.window
	if c.control != nil {
		c.control.lossy = c.control.lossy || gap
		window = c.control.heard(b, m.prompt, time.Since(c.start))
		c.rider.hold = c.control.hold()
	}
	c.rider.press = c.rider.press || now
	c.mu.Unlock()
	if window != c.window {
		c.window = window
		c.kcp.SetWindowSize(window, 0)
	}
	if now != c.ackNow {
		c.ackNow = now
		c.kcp.SetACKNoDelay(now)
	}
	return b
}

// WriteTo sends a packet of KCP's, or holds its acknowledgements back for a while. It drops
// what the session does not take for now, as a network would.
func (c *packetConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	c.doze.note()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.start)
	if c.control != nil && !c.control.sent(b, now) {
		return len(b), nil
	}
	pressing := c.control == nil || c.control.pressing()
	first, second, prompt := c.rider.offer(b, wire.MaxPacket, now)
	c.send(first, marks{pressing, prompt})
	c.send(second, marks{pressing, prompt})
	if len(first) == 0 {
		c.wait(c.rider.due - now)
	}
	return len(b), nil
}

// send sends a packet that is in KCP's form, if it is not empty. The caller holds mu.
func (c *packetConn) send(b []byte, m marks) {
	if len(b) == 0 {
		return
	}
	fresh := c.history.sent(b)
	_ = c.session.SendFunc(wire.ChannelKCP, func(out []byte) []byte { return appendCompact(out, b, m, fresh) })
}

// wait has overdue run after d.
func (c *packetConn) wait(d time.Duration) {
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.overdue)
	} else {
		c.timer.Reset(d)
	}
}

// overdue sends the acknowledgements that found nothing to ride on.
func (c *packetConn) overdue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, wait := c.rider.overdue(time.Since(c.start))
	c.send(b, marks{})
	if wait > 0 {
		c.wait(wait)
	}
}

func (c *packetConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.doze.stop()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer != nil {
			c.timer.Stop()
		}
	})
	return nil
}

func (c *packetConn) LocalAddr() net.Addr              { return c.session.LocalAddr() }
func (c *packetConn) SetDeadline(time.Time) error      { return nil }
func (c *packetConn) SetReadDeadline(time.Time) error  { return nil }
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }
