// Package sniff owns one question: which protocol does a connection that was
// just accepted speak? It reads the first bytes, within limits, and hands the
// connection, those bytes included, to the listener of that protocol, so that
// several protocols share one TCP port.
//
// It knows no protocol: prefixes in, listeners out.
//
//	            .-- Prefix("\x13BitTorrent protocol")   listener
//	listener ---|-- Prefix(...)                         listener
//	            `-- Rest()                              listener: everything else, e.g. HTTP
package sniff

import (
	"net"
	"sync"
	"time"
)

// Options bound what a client that has not shown its protocol can take.
type Options struct {
	// Wait is how long a client may take until its first bytes decide, and how
	// long a connection may wait to be accepted then.
	Wait time.Duration
	// Pending is how many connections may be undecided at a time. One more, and
	// the oldest is closed: an honest client sends at once.
	Pending int
}

// Splitter sorts the connections of one listener. Register every prefix before
// the first Accept on Rest, which sets the Splitter going.
type Splitter struct {
	l     net.Listener
	opts  Options
	rest  *branch
	start sync.Once
	close sync.Once
	done  chan struct{}

	mu       sync.Mutex
	branches []*branch
	pending  []net.Conn // undecided, the oldest first
}

// New returns a Splitter of l, which it owns from then on.
func New(l net.Listener, opts Options) *Splitter {
	s := &Splitter{l: l, opts: opts, done: make(chan struct{})}
	s.rest = s.branch(nil)
	return s
}

// Prefix returns the listener of the connections that begin with prefix.
// Closing it closes such connections; the others go on. It panics if the prefix
// is empty, or one of the two prefixes begins with the other: nothing could decide.
func (s *Splitter) Prefix(prefix []byte) net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.branches {
		if n := min(len(b.prefix), len(prefix)); string(b.prefix[:n]) == string(prefix[:n]) {
			panic("sniff: a prefix that does not tell protocols apart")
		}
	}
	b := s.branch(append([]byte(nil), prefix...))
	s.branches = append(s.branches, b)
	return b
}

// Rest returns the listener of all other connections. Closing it closes the
// Splitter, with every listener and undecided connection.
func (s *Splitter) Rest() net.Listener { return s.rest }

// Close closes the listener underneath and all that came of it and was not
// accepted yet.
func (s *Splitter) Close() (err error) {
	s.close.Do(func() {
		close(s.done)
		err = s.l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.pending {
			c.Close()
		}
	})
	return err
}

// run accepts until the Splitter is closed. Errors of the listener underneath go
// to whoever accepts from Rest, as if there were no Splitter.
func (s *Splitter) run() {
	for {
		c, err := s.l.Accept()
		if err == nil {
			s.await(c)
			go s.sort(c)
			continue
		}
		select {
		case s.rest.errs <- err:
		case <-s.done:
			return
		}
	}
}

// await enters c into the list of undecided connections.
func (s *Splitter) await(c net.Conn) {
	c.SetReadDeadline(time.Now().Add(s.opts.Wait)) // fails only for a connection that is gone
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= max(s.opts.Pending, 1) {
		s.pending[0].Close()
		s.pending = s.pending[1:]
	}
	s.pending = append(s.pending, c)
}

// decided takes c off the list. It reports false if c was closed meanwhile.
func (s *Splitter) decided(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.pending {
		if p == c {
			s.pending = append(s.pending[:i], s.pending[i+1:]...)
			return true
		}
	}
	return false
}

// sort reads what decides and hands c over.
func (s *Splitter) sort(c net.Conn) {
	head, b, err := s.read(c)
	if !s.decided(c) || err != nil {
		c.Close()
		return
	}
	c.SetReadDeadline(time.Time{}) // fails only for a connection that is gone
	b.deliver(&conn{Conn: c, head: head}, s.opts.Wait)
}

// read reads until the first bytes are a whole prefix, or no prefix any more.
func (s *Splitter) read(c net.Conn) (head []byte, b *branch, err error) {
	s.mu.Lock()
	branches := s.branches // only ever appended to
	s.mu.Unlock()
	buf := make([]byte, 64)
	for {
		b, more := s.match(branches, head)
		if b != nil {
			return head, b, nil
		}
		n, err := c.Read(buf[:min(more, len(buf))])
		head = append(head, buf[:n]...)
		if err != nil {
			return nil, nil, err
		}
	}
}

// match returns the branch of a connection that begins with head, or how many
// more bytes could decide.
func (s *Splitter) match(branches []*branch, head []byte) (b *branch, more int) {
	for _, b := range branches {
		n := min(len(head), len(b.prefix))
		if string(b.prefix[:n]) != string(head[:n]) {
			continue
		}
		if n == len(b.prefix) {
			return b, 0
		}
		if left := len(b.prefix) - n; more == 0 || left < more {
			more = left
		}
	}
	if more == 0 {
		return s.rest, 0
	}
	return nil, more
}
