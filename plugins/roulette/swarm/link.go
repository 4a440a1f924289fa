package swarm

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"sync"

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
	Queued() int
	Close() error
}

// link is one neighbour's session. Only the node's goroutine uses it.
type link struct {
	swarm   *swarm               // nil until the first message of an accepted session
	id      roulette.NeighbourID // within swarm
	peer    transport.Peer
	token   wire.Token           // opens the peer's gate; zero if it was introduced without
	by      roulette.NeighbourID // who named the peer; 0: no neighbour
	dialled bool                 // a dial is under way or done
	session *wire.Session
	pipe    pipe
	pending [][]byte // until the session is open
	closed  bool
	spare   bool // of several dials to one peer not the first to open
	foreign bool // the peer speaks another wire
}

// live reports whether there is a session that can be used. A nil link is none.
func (l *link) live() bool { return l != nil && l.session != nil && !l.closed }

// send hands a copy of a message over, or keeps it until there is a session. A message that
// cannot be taken is lost; the core repeats what matters.
func (l *link) send(msg []byte) {
	switch {
	case l.closed:
	case l.pipe != nil:
		_ = l.pipe.Send(msg)
	case len(l.pending) < maxPending:
		l.pending = append(l.pending, bytes.Clone(msg))
	}
}

// pipeQueue is how many bytes a pipe lets wait; content only up to half of it, so that
// what the core says besides is never lost.
const pipeQueue = 256 << 10

// roomFor is how many bytes of content a neighbour's pipe should get.
func (s *swarm) roomFor(id roulette.NeighbourID) int {
	if l := s.links[id]; l != nil && l.pipe != nil {
		return pipeQueue/2 - l.pipe.Queued()
	}
	return pipeQueue / 2
}

// room lets a core go on that found a pipe full.
func (n *Node) room(s *wire.Session) {
	if l := n.links[s]; l != nil && l.swarm != nil && !l.closed {
		n.advance(l.swarm)
	}
}

// maxEarly bounds the messages of a session whose dial the loop has not heard of yet.
const maxEarly = 32

// opened puts the configured wire on a session that opened. It runs on the wire's reading
// goroutine, before the session's first packet, so that none is missed. The first
// message always comes as a datagram, because it rides on the handshake.
func (n *Node) opened(s *wire.Session) (pipe, error) {
	overKCP := n.opts.Wire == "kcp"
	greeted := !s.Accepted() // reading goroutine only
	var p pipe = udp.New(s, func(b []byte) {
		if overKCP && greeted {
			n.tryPost(func() { n.foreign(s) })
			return
		}
		greeted = true
		msg := copied(b)
		if !n.tryPost(func() { n.heardFrom(s, msg) }) {
			messages.Put(msg)
		}
	})
	if !overKCP {
		s.Handle(wire.ChannelKCP, func([]byte) { n.tryPost(func() { n.foreign(s) }) })
	} else {
		var msg *[]byte // what the pipe reads into
		buffer := func(size int) []byte {
			msg = messages.Get().(*[]byte)
			*msg = slices.Grow((*msg)[:0], size)[:size]
			return *msg
		}
		conf := kcp.Config{Queue: pipeQueue, Buffer: buffer, Room: func() { n.post(func() { n.room(s) }) }, Missed: func() { n.tryPost(func() { n.missed(s) }) }}
		k, err := kcp.New(s, conf, func([]byte) {
			read := msg
			n.post(func() { n.heardFrom(s, read) })
		})
		if err != nil {
			return nil, err
		}
		p = k
	}
	n.work.Go(func() {
		<-s.Done()
		n.post(func() { n.ended(s) })
	})
	return p, nil
}

// missed hears that packets of a session were lost on their way here.
func (n *Node) missed(s *wire.Session) {
	if l := n.links[s]; l != nil && l.swarm != nil {
		l.swarm.core.Missed(n.now(), l.id)
	}
}

// attach joins a link and its open session.
func (n *Node) attach(l *link, s *wire.Session, p pipe) {
	l.session, l.pipe = s, p
	n.links[s] = l
	for _, msg := range l.pending {
		l.send(msg)
	}
	l.pending = nil
	early, strange := n.early[s], n.strange[s]
	delete(n.early, s)
	delete(n.strange, s)
	for _, msg := range early {
		n.heard(l, msg)
	}
	if strange {
		n.foreign(s)
	}
}

// messages are buffers of received messages for use again.
var messages = sync.Pool{New: func() any { return new([]byte) }}

func copied(b []byte) *[]byte {
	msg := messages.Get().(*[]byte)
	*msg = append((*msg)[:0], b...)
	return msg
}

// heardFrom takes a message from a session.
func (n *Node) heardFrom(s *wire.Session, msg *[]byte) {
	if l := n.links[s]; l != nil {
		n.heard(l, *msg)
	} else if len(n.early[s]) < maxEarly && s.Err() == nil {
		n.early[s] = append(n.early[s], bytes.Clone(*msg))
	}
	messages.Put(msg)
}

// ended hears that a session is over.
func (n *Node) ended(s *wire.Session) {
	l, p := n.links[s], n.pipes[s]
	delete(n.links, s)
	delete(n.pipes, s)
	delete(n.early, s)
	delete(n.strange, s)
	switch {
	case l == nil:
	case l.swarm != nil && errors.Is(s.Err(), wire.ErrBye):
		n.deliver(l, &roulette.Bye{}, 0)
		n.lost(l)
	default:
		n.lost(l)
	}
	if p != nil {
		n.work.Go(func() { p.Close() })
	}
}

// close says goodbye on a link and forgets it. It does not wait.
func (n *Node) close(l *link) {
	if l.closed {
		return
	}
	l.closed = true
	if l.spare && l.session != nil {
		l.session.CloseSpare()
	}
	if p := l.pipe; p != nil {
		n.work.Go(func() { p.Close() }) // waits for its reader, which may be posting to us
	}
}

// part closes every session with a link's neighbour.
func (n *Node) part(l *link) {
	n.close(l)
	for o := n.other(l); o != nil; o = n.other(l) {
		n.close(o)
	}
}

// usable reports whether a peer can be dialled at all.
func usable(p transport.Peer) bool {
	return !p.ID.IsZero() && p.Addr.IsValid() && p.Addr != netip.AddrPort{}
}
