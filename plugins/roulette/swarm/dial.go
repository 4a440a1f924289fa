package swarm

import (
	"context"
	"errors"
	"net/netip"
	"nt/chunker"
	"nt/transport"
	"nt/transport/wire"
	"time"
)

// mayMeet reports whether a peer that a locator named can be asked at all.
func (n *Node) mayMeet(p transport.Peer) bool {
	return usable(p) && (len(p.Transports) == 0 || p.Speaks(Name)) && p.ID != n.wire.ID() &&
		!n.bannedKeys[p.ID] && !n.bannedAddrs[p.Addr] && (n.public == nil || n.public(p.Addr.Addr()))
}

// dial opens a link's session; first rides on the handshake.
func (n *Node) dial(l *link, first []byte) {
	if !usable(l.peer) {
		n.later(func() { n.lost(l) })
		return
	}
	by := n.introducersFor(l)
	n.work.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, n.opts.DialTimeout)
		defer cancel()
		s, err := n.connect(ctx, l, by, first)
		n.post(func() {
			switch {
			case err != nil:
				n.unreached(l, err)
			case l.spare:
				s.CloseSpare()
			case l.closed || l.swarm.links[l.id] == nil || n.pipes[s] == nil:
				s.Close()
				n.lost(l)
			default:
				l.swarm.grants[l.peer.Addr] = s.Granted()
				n.attach(l, s, n.pipes[s])
				l.swarm.core.Opened(n.now(), s.InitSent().Sub(n.epoch), l.id)
				l.swarm.act()
			}
		})
	})
}

// introducersFor returns sessions with nodes that may know the link's peer, the likeliest first: the neighbour that named it,
// trackers, and other neighbours of the swarm, which hear of a newcomer late or never.
func (n *Node) introducersFor(l *link) []*wire.Session {
	var by []*wire.Session
	named := l.swarm.links[l.by]
	if named.live() {
		by = append(by, named.session)
	}
	for _, i := range n.introducers {
		by = append(by, i.session)
	}
	for _, other := range l.swarm.links {
		if other != named && other.live() {
			by = append(by, other.session)
		}
	}
	return by[:min(len(by), maxIntroduce)]
}

// aloneFor is how long a peer is dialled without introductions before it is looked
// whether anybody can introduce us by now: a node that has just started has asked
// its tracker for peers before it could open a session with it.
const aloneFor = 1200 * time.Millisecond

// connect reaches a peer directly, else through introducers. first rides on the handshake:
// every message that opens a neighbourhood fits.
func (n *Node) connect(ctx context.Context, l *link, by []*wire.Session, first []byte) (*wire.Session, error) {
	p := l.peer
	if len(by) == 0 {
		alone, cancel := context.WithTimeout(ctx, aloneFor)
		defer cancel()
		s, err := n.wire.Dial(alone, p.Addr, p.ID, l.token, wire.ChannelDatagram, first)
		if err == nil || alone.Err() == nil || ctx.Err() != nil {
			return s, err
		}
		if by = n.introducersLater(l); len(by) == 0 {
			return n.wire.Dial(ctx, p.Addr, p.ID, l.token, wire.ChannelDatagram, first)
		}
	}
	return n.wire.Connect(ctx, p, l.token, wire.ChannelDatagram, first, by...)
}

// introducersLater is introducersFor from outside of the loop.
func (n *Node) introducersLater(l *link) []*wire.Session {
	found := make(chan []*wire.Session, 1)
	n.post(func() { found <- n.introducersFor(l) })
	select {
	case by := <-found:
		return by
	case <-n.ctx.Done():
		return nil
	}
}

// unreached notes why a peer could not be reached. That no NAT between the two lets
// anything through is worth a word to the user, once; the others may be gone as well.
func (n *Node) unreached(l *link, err error) {
	if now := l.swarm.links[l.id]; now != nil && now != l { // it has reached us meanwhile
		n.lost(l)
		return
	}
	n.log.Debug("peer not reached", "peer", l.peer.Addr, "err", err)
	symmetric := errors.Is(err, wire.ErrSymmetric)
	if symmetric && !n.toldSymmetric {
		n.toldSymmetric = true
		n.log.Warn("a peer cannot be reached, trying others", "peer", l.peer.Addr, "err", err)
	}
	if f := l.swarm.fetch; f != nil && natWeight(err) >= natWeight(f.unreached) {
		f.unreached = err
	}
	n.lost(l)
}

// natWeight orders the reasons why peers could not be reached: what a NAT or a setting forbids
// is worth telling.
func natWeight(err error) int {
	switch {
	case errors.Is(err, errForeign):
		return 3
	case errors.Is(err, wire.ErrSymmetric):
		return 2
	case errors.Is(err, wire.ErrSymmetricNAT):
		return 1
	}
	return 0
}

// AddIntroducer keeps a session with a node that introduces peers, such as a
// tracker's rendezvous, until the context ends. It returns when the session ends. topicOf is what the introducer calls an object that
// is being fetched; nil if it is not to hear of any.
func (n *Node) AddIntroducer(ctx context.Context, addr netip.AddrPort, id transport.PeerID, topicOf func(chunker.ObjectID) [32]byte) error {
	s, err := n.wire.Dial(ctx, addr, id, wire.Token{}, wire.ChannelDatagram, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	s.KeepAlive(15 * time.Second)
	s.KeepGranting()
	n.post(func() { n.introducedBy(id, introducer{s, topicOf}) })
	select {
	case <-s.Done():
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return wire.ErrClosed
	}
}

// Grant returns a grant for a locator, which makes tokens of this node's from it, for a minute
// or more (wire.Session.KeepGranting does that for a tracker).
func (n *Node) Grant() wire.Grant { return n.wire.Grant() }

// Ask asks a node something in one round trip, from the socket that its peers will meet.
func (n *Node) Ask(ctx context.Context, addr netip.AddrPort, question []byte) ([]byte, error) {
	return n.wire.Ask(ctx, addr, question)
}
