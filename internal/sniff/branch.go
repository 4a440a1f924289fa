package sniff

import (
	"net"
	"sync"
	"time"
)

// branch is the listener of one protocol.
type branch struct {
	s      *Splitter
	prefix []byte // empty: the rest
	conns  chan net.Conn
	errs   chan error // of the listener underneath
	once   sync.Once
	done   chan struct{}
}

func (s *Splitter) branch(prefix []byte) *branch {
	return &branch{s: s, prefix: prefix, conns: make(chan net.Conn), errs: make(chan error), done: make(chan struct{})}
}

// Accept waits for the next connection of the protocol.
func (b *branch) Accept() (net.Conn, error) {
	if b == b.s.rest {
		b.s.start.Do(func() { go b.s.run() })
	}
	select {
	case <-b.done:
	case <-b.s.done:
	case err := <-b.errs:
		return nil, err
	case c := <-b.conns:
		return c, nil
	}
	return nil, net.ErrClosed
}

// Close ends Accept. Of the rest, it closes the Splitter.
func (b *branch) Close() error {
	b.once.Do(func() { close(b.done) })
	if b == b.s.rest {
		return b.s.Close()
	}
	return nil
}

// Addr returns the address of the port.
func (b *branch) Addr() net.Addr { return b.s.l.Addr() }

// deliver hands c to Accept, or closes it when nobody accepts in time.
func (b *branch) deliver(c net.Conn, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case b.conns <- c:
		return
	case <-b.done:
	case <-b.s.done:
	case <-t.C:
	}
	c.Close()
}

// conn is a connection whose first bytes were read already.
type conn struct {
	net.Conn
	head []byte
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	return n, nil
}
