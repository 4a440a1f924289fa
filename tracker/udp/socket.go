package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// readBuffer is what the kernel is asked to keep while the tracker is busy: a
// tenth of a second of a flash crowd.
const readBuffer = 8 << 20

// Answerer answers one datagram: it writes at most cap(out) bytes to out[:0] and returns
// them; none is no answer. It is called from several goroutines.
type Answerer interface {
	Answer(now time.Time, from netip.AddrPort, in, out []byte) []byte
}

// Socket is a UDP socket with two protocols on it.
type Socket struct {
	conn *net.UDPConn
	wire *wireConn
}

// New takes over an open socket.
func New(conn *net.UDPConn) *Socket {
	conn.SetReadBuffer(readBuffer) // a wish; the system's limit counts
	s := &Socket{conn: conn}
	s.wire = newWireConn(conn)
	return s
}

// Addr returns the socket's address.
func (s *Socket) Addr() netip.AddrPort { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Wire returns the socket as the wire of nt sees it. Closing it ends only that
// view. What nobody reads is dropped.
func (s *Socket) Wire() net.PacketConn { return s.wire }

// Serve answers on every core until Close; then it returns nil.
func (s *Socket) Serve(a Answerer) error {
	var wg sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := range errs {
		wg.Go(func() { errs[i] = s.work(a) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close ends Serve and the wire's view.
func (s *Socket) Close() error {
	s.wire.Close()
	return s.conn.Close()
}

func (s *Socket) work(a Answerer) error {
	b, err := newBatch(s.conn)
	if err != nil {
		return fmt.Errorf("reading the UDP socket: %w", err)
	}
	for {
		n, err := b.read()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			time.Sleep(time.Millisecond) // an ICMP error of somebody else's packet; never spin
			continue
		}
		now := time.Now()
		for i := range n {
			s.one(a, now, b.from(i), &b.slots[i])
		}
		if err := b.flush(n); errors.Is(err, net.ErrClosed) {
			return nil
		}
	}
}

// one gives a datagram to the protocol it belongs to.
func (s *Socket) one(a Answerer, now time.Time, from netip.AddrPort, d *slot) {
	in := d.in[:d.n]
	switch {
	case !from.IsValid() || from.Port() == 0:
	case isWire(in):
		s.wire.deliver(in, from)
	default:
		d.ans = len(a.Answer(now, from, in, d.out[:0]))
	}
}
