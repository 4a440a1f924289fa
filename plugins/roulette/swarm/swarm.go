package swarm

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/plugins/roulette"
	"nt/transport"
	"nt/transport/wire"
)

// swarm is one core and what it is connected to. Only the node's goroutine uses it.
type swarm struct {
	node    *Node
	object  chunker.ObjectID
	core    *roulette.Core
	content content
	blocks  blocks
	links   map[roulette.NeighbourID]*link
	grants  map[netip.AddrPort]wire.Grant           // of neighbours that we may introduce
	gone    map[roulette.NeighbourID]transport.Peer // left, but a chunk of theirs may still wait for its proof
	fetch   *fetch                                  // nil in a swarm that only serves
	idle    time.Duration
	wake    time.Duration // NextDeadline; noWake if there is none
	buf     []byte
}

// maxGone bounds the neighbours that are remembered for a last chunk.
const maxGone = 1024

const noWake = time.Duration(1<<63 - 1)

// role is what a node is to a swarm.
type role uint8

const (
	fetching role = iota // it wants the object
	holder               // it serves a part and wants nothing
	seeding              // it serves all
)

// openHanded is the tab of who wants nothing back, in bytes.
const openHanded = 1 << 30

func (n *Node) newSwarm(id chunker.ObjectID, c content, as role, limit int64) *swarm {
	params := n.params
	if as == holder { // there is nothing to be paid with
		params.Tab, params.NewBlocks = openHanded, openHanded
	}
	s := &swarm{node: n, object: id, content: c, blocks: blocks{from: c}, links: map[roulette.NeighbourID]*link{}, grants: map[netip.AddrPort]wire.Grant{}, gone: map[roulette.NeighbourID]transport.Peer{}, idle: n.now(), wake: noWake}
	s.core = roulette.New(roulette.Config{
		Params: params, Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), Object: id, Content: c, Seed: as == seeding, Give: as == holder, Dials: true,
		Limit: int(min(limit, math.MaxInt32)), Ledger: n.ledger, Uplink: n.uplink, MaxRun: n.opts.maxRun(), Room: s.roomFor,
	})
	return s
}

// act carries out what the core wants after it was told something.
func (s *swarm) act() {
	for _, a := range s.core.Actions() {
		switch a := a.(type) {
		case roulette.Connect:
			s.links[a.To] = &link{swarm: s, id: a.To, peer: a.Intro.Peer, token: tokenOf(a.Intro), by: a.By}
		case roulette.Send:
			s.send(a)
		case roulette.Stored:
			s.stored(a)
		case roulette.Ban:
			s.node.ban(a.Peer)
			if s.fetch != nil { // finding out a liar is progress
				s.fetch.progress()
			}
			s.observe(transport.EventBadPeer, a.Peer, 0, a.Why)
		case roulette.Drop:
			s.dropped(a)
		case roulette.WantPeers:
			if s.fetch != nil {
				s.fetch.askPeers(s.node.now())
			}
		case roulette.Complete:
			if s.fetch != nil {
				s.fetch.finish(nil)
			}
		case roulette.Fail:
			if s.fetch != nil {
				s.fetch.finish(a.Err)
			}
		}
	}
	s.wake = noWake
	if t, ok := s.core.NextDeadline(); ok {
		s.wake = t
	}
}

// send fills in what only the driver has, and hands the message to its link.
func (s *swarm) send(a roulette.Send) {
	l := s.links[a.To]
	if l == nil || l.closed {
		return
	}
	if _, bye := a.Msg.(*roulette.Bye); bye {
		return // the session is closed next, and says so itself
	}
	if d, ok := a.Msg.(*roulette.Data); ok && d.Payload == nil {
		data, err := s.blocks.read(int(d.Chunk), int(d.Block), d.Len)
		if err != nil {
			s.node.log.Debug("a chunk that was offered cannot be read", "object", s.object, "chunk", d.Chunk, "err", err)
			return
		}
		d.Payload = data
	}
	s.vouch(l, a.Msg)
	s.node.msg = roulette.Append(s.node.msg[:0], a.Msg)
	msg := s.node.msg
	s.node.opts.tap(s.core, a.Msg, len(msg), false)
	if s.fetch != nil {
		s.observe(transport.EventOverhead, l.peer, len(msg)-payload(a.Msg), nil)
	}
	if !l.dialled && l.session == nil {
		l.dialled = true
		s.node.dial(l, bytes.Clone(msg))
		return
	}
	l.send(msg)
}

// payload is how much of a message is content.
func payload(m roulette.Message) int {
	if d, ok := m.(*roulette.Data); ok {
		return len(d.Payload)
	}
	return 0
}

func (s *swarm) stored(a roulette.Stored) {
	h, _ := s.content.Header()
	peer := s.gone[a.From]
	if l := s.links[a.From]; l != nil {
		peer = l.peer
	}
	if s.fetch != nil {
		s.fetch.progress()
		s.fetch.stored += int64(h.ChunkLen(a.Chunk))
	}
	s.observe(transport.EventChunk, peer, h.ChunkLen(a.Chunk), nil)
}

func (s *swarm) dropped(a roulette.Drop) {
	delete(s.grants, a.Peer.Addr)
	foreign := false
	if l := s.links[a.To]; l != nil {
		delete(s.links, a.To)
		l.spare = errors.Is(a.Why, roulette.ErrTwice)
		s.node.part(l)
		if len(s.gone) == maxGone {
			clear(s.gone)
		}
		s.gone[a.To] = l.peer
		foreign = l.foreign
	}
	if !foreign && (errors.Is(a.Why, roulette.ErrSilent) || errors.Is(a.Why, roulette.ErrNoFile)) {
		s.observe(transport.EventDeadPeer, a.Peer, 0, a.Why)
	}
	if len(s.links) == 0 {
		s.idle = s.node.now()
	}
}

// observe tells the fetch's owner, with the peer as the locator named it.
func (s *swarm) observe(kind transport.EventKind, p transport.Peer, n int, err error) {
	if s.fetch == nil || s.fetch.req.Observe == nil {
		return
	}
	if known, ok := s.fetch.named[p.Addr]; ok && known.ID == p.ID {
		p = known
	}
	s.fetch.req.Observe(transport.Event{Kind: kind, Peer: p, Bytes: n, Err: err})
}

// leave says goodbye to every neighbour.
func (s *swarm) leave() {
	s.core.Leave(s.node.now())
	for _, a := range s.core.Actions() {
		switch a := a.(type) {
		case roulette.Send:
			s.send(a)
		case roulette.Drop:
			if l := s.links[a.To]; l != nil {
				s.node.part(l)
			}
		}
	}
	clear(s.links)
	clear(s.grants)
	s.wake = noWake
}
