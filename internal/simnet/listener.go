package simnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// maxBacklog is how many connections wait for Accept; further SYNs are refused.
const maxBacklog = 4096

// listener is a net.Listener.
type listener struct {
	host   *Host
	local  *net.TCPAddr
	port   uint16
	ready  chan struct{}
	queue  []*stream // guarded by the network's lock, like the next
	closed bool
}

// Listen opens a TCP port; port 0 takes a free one. Behind a NAT nobody reaches it.
func (h *Host) Listen(port uint16) (net.Listener, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	port, err := h.freePort(port, func(p uint16) bool { return h.listens[p] != nil })
	if err != nil {
		return nil, fmt.Errorf("listening on TCP: %w", err)
	}
	l := &listener{host: h, port: port, ready: make(chan struct{}, 1), local: tcpAddr(h.local, port)}
	h.listens[port] = l
	return l, nil
}

func tcpAddr(a netip.Addr, port uint16) *net.TCPAddr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, port))
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		if s, err := l.next(); s != nil || err != nil {
			if err != nil {
				return nil, err
			}
			return s, nil
		}
		<-l.ready
	}
}

func (l *listener) next() (*stream, error) {
	n := l.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.closed {
		signal(l.ready)
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.local, Err: net.ErrClosed}
	}
	if len(l.queue) == 0 {
		return nil, nil
	}
	s := l.queue[0]
	if l.queue = l.queue[1:]; len(l.queue) > 0 {
		signal(l.ready)
	}
	return s, nil
}

func (l *listener) Close() error {
	n := l.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	delete(l.host.listens, l.port)
	l.shut()
	return nil
}

func (l *listener) shut() {
	l.closed = true
	for _, s := range l.queue {
		s.fail(errReset)
		s.answer(segReset, 0, l.host.net.Now())
	}
	l.queue = nil
	signal(l.ready)
}

func (l *listener) Addr() net.Addr { return l.local }

// dialing is a connection being made. Its fields are guarded by the network's lock.
type dialing struct {
	from   *Host
	to     *Host
	port   uint16
	near   *stream
	far    *stream // once the SYN has arrived
	err    error
	over   bool
	answer chan struct{} // closed when it is over
}

// Dial connects to "address:port" of another host, by its numeric address. It has the
// signature of net.Dialer.DialContext.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("dialling %s %s: %w", network, address, err)
	}
	d, err := h.net.dial(h, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	if err != nil {
		return nil, err
	}
	select {
	case <-d.answer:
	case <-ctx.Done():
		d.abandon(ctx.Err())
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if d.err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Source: d.near.local, Addr: d.near.remote, Err: d.err}
	}
	return d.near, nil
}

// dial sends the SYN.
func (n *Net) dial(h *Host, to netip.AddrPort) (*dialing, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	port, err := h.freePort(0, func(uint16) bool { return false }) // numbers are told apart by pointers
	if err != nil {
		return nil, err
	}
	d := &dialing{from: h, to: n.hosts[to.Addr()], port: to.Port(), answer: make(chan struct{})}
	d.near = newStream(h, tcpAddr(h.local, port), tcpAddr(to.Addr(), to.Port()))
	h.dials[d] = struct{}{}
	now := n.Now()
	n.plan(now+synRetry<<maxSynTries, d)
	p := n.packet()
	p.src, p.dst, p.size = h, d.to, headTCP
	p.seg = segment{kind: segSyn, dial: d, sent: now}
	if d.to == nil || d.to.nat != nil {
		p.dst = nil // lost on the way: the NAT knows of nobody inside
	}
	n.send(p, now)
	return d, nil
}

// fire gives up: the dial's own time is over.
func (d *dialing) fire(*Net, time.Duration) { d.failed(errTimeout) }

// arrived handles the SYN at the other host.
func (d *dialing) arrived(_ *packet, now time.Duration) {
	n := d.to.net
	if d.over || d.far != nil {
		return
	}
	l := d.to.listens[d.port]
	if l != nil && len(l.queue) < maxBacklog {
		d.far = newStream(d.to, tcpAddr(d.to.local, d.port), tcpAddr(d.from.addr, uint16(d.near.local.Port)))
		d.far.far, d.near.far = d.near, d.far
		l.queue = append(l.queue, d.far)
		signal(l.ready)
	}
	p := n.packet()
	p.src, p.dst, p.size = d.to, d.from, headTCP
	p.seg = segment{kind: segSynAck, dial: d, sent: now}
	n.send(p, now)
}

// answered handles the SYN's answer.
func (d *dialing) answered(now time.Duration) {
	switch {
	case d.far == nil:
		d.failed(errRefused)
	case d.over:
		d.near.answer(segReset, 0, now)
	default:
		d.over = true
		delete(d.from.dials, d)
		close(d.answer)
		d.near.answer(segAck, 0, now)
	}
}

func (d *dialing) failed(err error) {
	if d.over {
		return
	}
	d.over, d.err = true, err
	delete(d.from.streams, d.near)
	delete(d.from.dials, d)
	close(d.answer)
}

func (d *dialing) abandon(err error) {
	n := d.from.net
	n.mu.Lock()
	defer n.mu.Unlock()
	d.failed(err)
}
