package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// poison is fed to net/http in place of a refused byte of a head. It fits no
// part of a head, so net/http answers 400 in the right order behind the
// responses still owed and closes the connection.
const poison = "\x00\r\n\r\n"

// gate is a reader's connection: it passes bytes on only as far as the scanner
// finds them good, and ends writes that make no progress (security rows 27, 42).
type gate struct {
	net.Conn
	scan    scanner
	pending string // poison still to be delivered
	failed  bool
	raw     bool
	refused func(error)
	stall   time.Duration
	mu      sync.Mutex // guards until
	until   time.Time  // the write deadline in force
	free    func()     // gives the connection's place back; once

	hot            *hotTier // nil: none
	head           []byte   // of the request being answered, if it came in one piece
	idle, headTime time.Duration
	idleUntil      time.Time  // the read deadline that answer set
	answering      sync.Mutex // held while a hot answer is sent
}

type gateKey struct{}

// gateOf returns the gate of the connection a request came by.
func gateOf(ctx context.Context) *gate {
	g, _ := ctx.Value(gateKey{}).(*gate)
	return g
}

// Read returns bytes that passed the scanner.
func (g *gate) Read(p []byte) (int, error) {
	if g.pending != "" {
		n := copy(p, g.pending)
		g.pending = g.pending[n:]
		return n, nil
	}
	if g.failed {
		return 0, io.EOF
	}
	n, err := g.readHot(p)
	if n == 0 || g.raw {
		return n, err
	}
	good, bad := g.scan.scan(p[:n])
	if bad == nil {
		return n, err
	}
	g.failed = true
	g.refused(bad)
	if !g.scan.inHead() {
		return good, bad // in a body: whoever forwards it must not end it cleanly
	}
	if g.pending = poison; good == 0 {
		return g.Read(p)
	}
	return good, nil
}

// Write gives the reader the stall time to take some of p.
func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	if now := time.Now(); g.until.Sub(now) < g.stall*7/8 {
		g.until = now.Add(g.stall)
		g.Conn.SetWriteDeadline(g.until)
	}
	g.mu.Unlock()
	return g.Conn.Write(p)
}

// CloseWrite lets net/http end a refused request without a reset.
func (g *gate) CloseWrite() error {
	if c, ok := g.Conn.(closeWriter); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close closes the connection and gives its place back.
func (g *gate) Close() error {
	g.free()
	if g.hot != nil {
		g.finish()
	}
	return g.Conn.Close()
}

// hijacked ends the checks: from here on the bytes are not HTTP. It returns the
// connection below.
func (g *gate) hijacked() net.Conn {
	g.raw = true
	g.Conn.SetDeadline(time.Time{})
	return g.Conn
}

// cut makes Close a reset, for a client whose end of the body is the end of the
// connection and who could not tell otherwise that it was cut.
func (g *gate) cut() {
	if c, ok := g.Conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
}

// listener wraps connections in gates and keeps their number bounded: who comes
// when it is full waits in the kernel's queue.
type listener struct {
	net.Listener
	places chan struct{}
	done   chan struct{}
	once   sync.Once
	wrap   func(net.Conn, func()) (net.Conn, error)
}

// Accept waits for a place and a connection that may come in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.done:
			return nil, net.ErrClosed
		}
		free := sync.OnceFunc(func() { <-l.places })
		c, err := l.Listener.Accept()
		if err != nil {
			free()
			return nil, err
		}
		g, err := l.wrap(c, free)
		if err == nil {
			return g, nil
		}
		free()
		c.Close()
	}
}

// Close stops accepting.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
