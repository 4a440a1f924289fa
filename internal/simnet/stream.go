package simnet

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

var (
	errReset   = syscall.ECONNRESET
	errRefused = syscall.ECONNREFUSED
	errTimeout = syscall.ETIMEDOUT
	errClosed  = errors.New("write after CloseWrite")
)

// stream is one end of a connection: a net.Conn with CloseWrite.
type stream struct {
	host          *Host
	far           *stream
	local, remote *net.TCPAddr
	read, write   deadline
	readable      chan struct{}
	writable      chan struct{}

	// Guarded by the network's lock. Sending:
	out       []byte // written and not yet sent
	una, nxt  int64  // first number not acknowledged, next to send
	cwnd, thr float64
	recover   int64 // losses below it belong to a round trip that has been paid for
	limit     int64 // far takes numbers below it
	srtt      time.Duration
	finAsked  bool
	finSent   bool

	// Receiving:
	in      []byte // in order, not yet read
	rcvd    int64  // next number expected
	early   map[int64]*packet
	eof     bool
	queued  bool  // in the host's ring
	told    int64 // the last edge told
	pending int   // segments not acknowledged

	closed bool
	err    error
}

func newStream(h *Host, local, remote *net.TCPAddr) *stream {
	s := &stream{host: h, local: local, remote: remote, read: newDeadline(), write: newDeadline(),
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1),
		cwnd: 10 * mss, thr: float64(h.net.cfg.Window), limit: int64(h.net.cfg.Window), early: make(map[int64]*packet)}
	s.told = int64(h.net.cfg.Window)
	h.streams[s] = struct{}{}
	return s
}

// edge is the first number there is no room for.
func (s *stream) edge() int64 { return max(s.told, s.rcvd+int64(s.host.net.cfg.Window-len(s.in))) }

// push sends what the windows allow, in turn with the host's other streams; the
// caller holds the lock.
func (s *stream) push(now time.Duration) {
	if _, _, ok := s.sendable(); ok && !s.queued {
		s.queued = true
		s.host.ring = append(s.host.ring, s)
	}
	s.host.pump(now)
}

// sendable returns the next segment that the windows allow.
func (s *stream) sendable() (size int, fin, ok bool) {
	if s.err != nil {
		return 0, false, false
	}
	room := min(int64(s.cwnd)-(s.nxt-s.una), s.limit-s.nxt)
	size = min(len(s.out), mss)
	fin = s.finAsked && !s.finSent && size == len(s.out)
	if size == 0 {
		return 0, fin, fin
	}
	if room <= 0 || room < int64(size) && s.nxt > s.una {
		return 0, false, false
	}
	size = min(size, int(room))
	return size, fin && size == len(s.out), true
}

func (s *stream) emit(size int, fin bool, now time.Duration) {
	n := s.host.net
	p := n.packet()
	p.buf = append(p.buf, s.out[:size]...)
	s.out = s.out[size:]
	p.src, p.dst, p.size = s.host, s.far.host, size+headTCP
	p.seg = segment{kind: segData, to: s.far, seq: s.nxt, fin: fin, push: len(s.out) == 0, ack: s.rcvd, edge: s.edge(), sent: now}
	s.told, s.pending = p.seg.edge, 0
	s.nxt = p.seg.end(size)
	s.finSent = s.finSent || fin
	n.send(p, now)
}

// backOff answers the loss of the segment at seq.
func (s *stream) backOff(seq int64) {
	if seq < s.recover {
		return
	}
	s.recover = s.nxt
	s.thr = max(s.cwnd/2, 2*mss)
	s.cwnd = s.thr
}

// acknowledged takes what a segment says of what this end sent.
func (s *stream) acknowledged(g *segment, now time.Duration) {
	s.limit = max(s.limit, g.edge)
	if acked := float64(g.ack - s.una); acked > 0 {
		s.una = g.ack
		if s.cwnd < s.thr {
			s.cwnd += acked
		} else {
			s.cwnd += mss * acked / s.cwnd
		}
		s.cwnd = min(s.cwnd, float64(s.host.net.cfg.Window))
	}
	if g.echo > 0 {
		if rtt := now - g.echo; s.srtt == 0 {
			s.srtt = rtt
		} else {
			s.srtt += (rtt - s.srtt) / 8
		}
	}
	if s.closed && s.finSent && s.una == s.nxt {
		delete(s.host.streams, s)
	}
	s.push(now)
	if len(s.out) < s.host.net.cfg.Window {
		signal(s.writable)
	}
}

// take takes a data segment in; it owns p.
func (s *stream) take(p *packet, now time.Duration) {
	n, g := s.host.net, p.seg
	if s.closed && len(p.buf) > 0 || s.err != nil {
		n.release(p)
		s.answer(segReset, 0, now)
		return
	}
	s.pending++
	if g.seq != s.rcvd {
		if g.seq > s.rcvd && s.early[g.seq] == nil {
			s.early[g.seq] = p
		} else {
			n.release(p)
		}
		s.answer(segAck, 0, now)
		return
	}
	atOnce := s.pending >= 2 || g.push || g.fin || g.tries > 0 || len(s.early) > 0
	for next := p; next != nil; next = s.early[s.rcvd] {
		delete(s.early, s.rcvd)
		s.in = append(s.in, next.buf...)
		s.rcvd = next.seg.end(len(next.buf))
		s.eof = s.eof || next.seg.fin
		n.release(next)
	}
	if atOnce {
		s.answer(segAck, g.sent, now)
	}
	signal(s.readable)
}

// answer sends a segment without data.
func (s *stream) answer(kind segKind, echo, now time.Duration) {
	n := s.host.net
	p := n.packet()
	p.src, p.dst, p.size = s.host, s.far.host, headTCP
	p.seg = segment{kind: kind, to: s.far, ack: s.rcvd, edge: s.edge(), sent: now, echo: echo}
	s.told, s.pending = p.seg.edge, 0
	n.send(p, now)
}

// fail ends the stream at this end without a word.
func (s *stream) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.out = nil
	delete(s.host.streams, s)
	signal(s.readable)
	signal(s.writable)
}

func (s *stream) Read(b []byte) (int, error) {
	for {
		if s.read.passed() {
			return 0, s.wrap("read", os.ErrDeadlineExceeded)
		}
		if n, err, ok := s.readSome(b); ok {
			return n, err
		}
		select {
		case <-s.readable:
		case <-s.read.wait():
		}
	}
}

func (s *stream) readSome(b []byte) (int, error, bool) {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case s.closed:
		signal(s.readable)
		return 0, s.wrap("read", net.ErrClosed), true
	case len(s.in) > 0 || len(b) == 0:
		size := copy(b, s.in)
		s.in = s.in[size:]
		if len(s.in) > 0 {
			signal(s.readable)
		} else {
			s.in = nil
		}
		if grown := s.edge() - s.told; grown >= int64(min(2*mss, n.cfg.Window/2)) && s.told-s.rcvd < int64(n.cfg.Window/2) && s.err == nil {
			s.answer(segAck, 0, n.Now())
		}
		return size, nil, true
	case s.eof:
		signal(s.readable)
		return 0, io.EOF, true
	case s.err != nil:
		signal(s.readable)
		return 0, s.wrap("read", s.err), true
	}
	return 0, nil, false
}

func (s *stream) Write(b []byte) (int, error) {
	done := 0
	for {
		if s.write.passed() {
			return done, s.wrap("write", os.ErrDeadlineExceeded)
		}
		n, err := s.writeSome(b[done:])
		if done += n; err != nil || done == len(b) {
			return done, err
		}
		select {
		case <-s.writable:
		case <-s.write.wait():
		}
	}
}

// writeSome takes what there is room for: a window beyond what may be in flight.
func (s *stream) writeSome(b []byte) (int, error) {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case s.closed:
		return 0, s.wrap("write", net.ErrClosed)
	case s.err != nil:
		return 0, s.wrap("write", s.err)
	case s.finAsked:
		return 0, s.wrap("write", errClosed)
	}
	size := min(len(b), max(0, n.cfg.Window-len(s.out)))
	s.out = append(s.out, b[:size]...)
	s.push(n.Now())
	if len(s.out) < n.cfg.Window {
		signal(s.writable)
	}
	return size, nil
}

// CloseWrite ends the sending direction once everything written is sent.
func (s *stream) CloseWrite() error {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	s.finAsked = true
	s.push(n.Now())
	return nil
}

// Close sends what was written and ends the stream; data that arrives from now
// on is answered with a reset, as the kernel does it.
func (s *stream) Close() error {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.closed {
		return s.wrap("close", net.ErrClosed)
	}
	s.closed, s.finAsked = true, true
	if len(s.in) > 0 && s.err == nil {
		s.answer(segReset, 0, n.Now())
		s.fail(errReset)
	}
	s.push(n.Now())
	signal(s.readable)
	signal(s.writable)
	return nil
}

func (s *stream) LocalAddr() net.Addr  { return s.local }
func (s *stream) RemoteAddr() net.Addr { return s.remote }

func (s *stream) SetDeadline(t time.Time) error {
	s.read.set(t)
	s.write.set(t)
	return nil
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.read.set(t)
	return nil
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	s.write.set(t)
	return nil
}

func (s *stream) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.local, Addr: s.remote, Err: err}
}
