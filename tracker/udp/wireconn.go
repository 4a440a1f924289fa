package udp

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// wireQueue is how many datagrams wait for the wire; more are dropped.
const wireQueue = 1024

type datagram struct {
	data []byte
	from netip.AddrPort
}

// wireConn is the wire's share of the socket, as a net.PacketConn.
type wireConn struct {
	conn  *net.UDPConn
	queue chan datagram
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{} // closed when the read deadline has passed
}

func newWireConn(c *net.UDPConn) *wireConn {
	return &wireConn{conn: c, queue: make(chan datagram, wireQueue), done: make(chan struct{}), expired: make(chan struct{})}
}

// deliver hands in a copy of one datagram, or drops it: the reader of the socket never waits.
func (w *wireConn) deliver(in []byte, from netip.AddrPort) {
	if len(w.queue) == cap(w.queue) {
		return
	}
	select {
	case <-w.done:
	case w.queue <- datagram{append([]byte(nil), in...), from}:
	default:
	}
}

// ReadFrom implements net.PacketConn; addresses are *net.UDPAddr.
func (w *wireConn) ReadFrom(p []byte) (int, net.Addr, error) {
	w.mu.Lock()
	expired := w.expired
	w.mu.Unlock()
	select {
	case d := <-w.queue:
		return copy(p, d.data), net.UDPAddrFromAddrPort(d.from), nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo implements net.PacketConn.
func (w *wireConn) WriteTo(p []byte, to net.Addr) (int, error) {
	select {
	case <-w.done:
		return 0, net.ErrClosed
	default:
		return w.conn.WriteTo(p, to)
	}
}

// Close ends this view of the socket and leaves the socket open.
func (w *wireConn) Close() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (w *wireConn) LocalAddr() net.Addr { return w.conn.LocalAddr() }

// SetDeadline implements net.PacketConn; only reading waits.
func (w *wireConn) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn for reads that begin after it.
func (w *wireConn) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	w.expired = make(chan struct{})
	if !t.IsZero() {
		expired := w.expired
		w.timer = time.AfterFunc(time.Until(t), func() { close(expired) })
	}
	return nil
}

// SetWriteDeadline implements net.PacketConn; writing never waits long.
func (w *wireConn) SetWriteDeadline(time.Time) error { return nil }
