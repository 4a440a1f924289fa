package swarm

import (
	"net/netip"

	"nt/plugins/roulette"
	"nt/transport"
	"nt/transport/wire"
	"nt/transport/wire/kcp"
	"nt/transport/wire/udp"
)

// maxPending bounds the messages that wait for a session to open.
const maxPending = 64

// pipe carries messages to one peer: kcp.Pipe, or the session as it is.
type pipe interface {
	Send(msg []byte) error
	Close() error
}

// link is one neighbour's session. Only the node's goroutine uses it.
type link struct {
	swarm   *swarm               // nil until the first message of an accepted session
	id      roulette.NeighbourID // within swarm
	peer    transport.Peer
	dialled bool // a dial is under way or done
	session *wire.Session
	pipe    pipe
	pending [][]byte // until the session is open
	closed  bool
}

// send hands a message over, or keeps it until there is a session. A message that
// cannot be taken is lost; the core repeats what matters.
func (l *link) send(msg []byte) {
	switch {
	case l.closed:
	case l.pipe != nil:
		_ = l.pipe.Send(msg)
	case len(l.pending) < maxPending:
		l.pending = append(l.pending, msg)
	}
}

// attach puts the configured wire on an open session and lets heard hear it. The
// first message of a session always comes as a datagram, because it rides on
// the handshake.
func (n *Node) attach(l *link, s *wire.Session) error {
	l.session = s
	first := udp.New(s, func(p []byte) {
		msg := append([]byte(nil), p...)
		n.tryPost(func() { n.heard(l, msg) })
	})
	l.pipe = first
	if n.opts.Wire == "kcp" {
		p, err := kcp.New(s, kcp.Config{}, func(p []byte) {
			msg := append([]byte(nil), p...)
			n.post(func() { n.heard(l, msg) })
		})
		if err != nil {
			return err
		}
		l.pipe = p
	}
	n.work.Go(func() {
		<-s.Done()
		n.post(func() { n.lost(l) })
	})
	for _, msg := range l.pending {
		l.send(msg)
	}
	l.pending = nil
	return nil
}

// close says goodbye on a link and forgets it. It does not wait.
func (n *Node) close(l *link) {
	if l.closed {
		return
	}
	l.closed = true
	delete(n.links, l)
	switch p := l.pipe; {
	case p != nil:
		n.work.Go(func() { p.Close() }) // waits for its reader, which may be posting to us
	case l.session != nil:
		l.session.Close()
	}
}

// usable reports whether a peer can be dialled at all.
func usable(p transport.Peer) bool {
	return !p.ID.IsZero() && p.Addr.IsValid() && p.Addr != netip.AddrPort{}
}
