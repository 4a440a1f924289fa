package swarm

import (
	"nt/chunker"
	"nt/plugins/roulette"
	"nt/transport"
	"nt/transport/wire"
)

// accept is the wire's: somebody with a proved address and key opened a session.
func (n *Node) accept(s *wire.Session) bool {
	p, err := n.opened(s)
	if err != nil {
		n.log.Debug("refusing a session", "peer", s.Addr(), "err", err)
		return false
	}
	n.post(func() {
		n.pipes[s] = p
		n.attach(&link{peer: transport.Peer{ID: s.Peer(), Addr: s.Addr(), Transports: []string{Name}}}, s, p)
	})
	return true
}

// dialled is the wire's: a session that we dialled opened.
func (n *Node) dialled(s *wire.Session) {
	p, err := n.opened(s)
	if err != nil {
		n.log.Debug("cannot use a session", "peer", s.Addr(), "err", err)
		return
	}
	n.post(func() { n.pipes[s] = p })
}

// heard takes a message from a link.
func (n *Node) heard(l *link, b []byte) {
	if l.closed {
		return
	}
	m, err := roulette.Parse(b)
	if err != nil {
		n.log.Debug("malformed message", "peer", l.peer.Addr, "err", err)
		n.drop(l)
		return
	}
	if l.swarm == nil && !n.enter(l, m) {
		n.close(l)
		return
	}
	if s := l.swarm; s.links[l.id] != nil {
		s.links[l.id] = l // of several sessions the neighbour's latest choice is ours
	}
	n.deliver(l, m, len(b))
}

// other returns another open session with the link's neighbour: a peer that was told several
// addresses of ours may have dialled them all. nil if there is none.
func (n *Node) other(l *link) *link {
	for _, o := range n.links {
		if o != l && !o.closed && o.swarm == l.swarm && o.id == l.id && o.session.Err() == nil {
			return o
		}
	}
	return nil
}

// deliver gives the core a message.
func (n *Node) deliver(l *link, m roulette.Message, size int) {
	s := l.swarm
	if l.closed || s.fetch != nil && s.fetch.over {
		return
	}
	if s.fetch != nil {
		s.fetch.heard += int64(payload(m))
		if !farewell(m) {
			s.fetch.asked, s.fetch.alone = 0, 0 // who is slow may lose everybody, and what was asked meanwhile was not in vain
		}
		s.observe(transport.EventOverhead, l.peer, size-payload(m), nil)
	}
	s.granted(l, m)
	n.opts.tap(s.core, m, size, true)
	s.core.Receive(n.now(), l.id, m)
	s.act()
}

// farewell reports whether a message says that its sender is no use.
func farewell(m roulette.Message) bool {
	switch m.(type) {
	case *roulette.Bye, *roulette.NoFile:
		return true
	}
	return false
}

// enter finds the swarm that the first message of an accepted session names.
func (n *Node) enter(l *link, m roulette.Message) bool {
	id, ok := objectOf(m)
	if !ok || n.bannedKeys[l.peer.ID] || n.bannedAddrs[l.peer.Addr] {
		return false
	}
	s := n.swarmFor(id)
	if s == nil {
		l.send(roulette.Append(nil, &roulette.NoFile{Object: id}))
		return false
	}
	nid, ok := s.core.Accept(n.now(), l.peer)
	if !ok {
		return false
	}
	l.swarm, l.id = s, nid
	s.links[nid] = l // of two peers that dial each other at once: this session is there first, and ours one more when it opens
	return true
}

// objectOf returns the object that an opening message names.
func objectOf(m roulette.Message) (chunker.ObjectID, bool) {
	switch m := m.(type) {
	case *roulette.Join:
		return m.Object, true
	case *roulette.Hello:
		return m.Object, true
	case *roulette.Rescue:
		return m.Object, true
	case *roulette.FirstHandshake:
		return m.Object, true
	}
	return chunker.ObjectID{}, false
}

// swarmFor returns the swarm of an object, making one if the Source holds it.
func (n *Node) swarmFor(id chunker.ObjectID) *swarm {
	if s := n.fetching[id]; s != nil && !s.fetch.over {
		return s
	}
	if s := n.serving[id]; s != nil {
		return s
	}
	if n.source == nil || len(n.serving) >= maxServing {
		return nil
	}
	obj, err := n.source.Open(id)
	if err != nil {
		return nil
	}
	h, known := obj.Header()
	if !known {
		obj.Close()
		return nil
	}
	as := holder
	if obj.Have().Count() == h.NumChunks() {
		as = seeding
	}
	s := n.newSwarm(id, holding{obj}, as, 0)
	n.serving[id] = s
	return s
}

// drop ends a link that broke the protocol.
func (n *Node) drop(l *link) {
	n.lost(l)
	n.close(l)
}

// lost tells the core that a session ended.
func (n *Node) lost(l *link) {
	if l.closed {
		return
	}
	if s := l.swarm; s != nil && s.links[l.id] == l && (s.fetch == nil || !s.fetch.over) {
		if o := n.other(l); o != nil {
			s.links[l.id] = o
		} else {
			s.core.Lost(n.now(), l.id)
			s.act()
		}
	}
	n.close(l)
}

// ban keeps a peer out of every swarm, by key and by address.
func (n *Node) ban(p transport.Peer) {
	if len(n.bannedKeys) < maxBans {
		n.bannedKeys[p.ID] = true
	}
	if len(n.bannedAddrs) < maxBans {
		n.bannedAddrs[p.Addr] = true
	}
}
