package roulette

import (
	"math/bits"
	"slices"
	"time"

	"nt/transport"
)

func trailing(m uint64) int { return bits.TrailingZeros64(m) }

// Limits of the tables that outsiders fill.
const (
	maxBanned  = 4096
	maxResting = 1024
	restTime   = 5 * time.Second // of a neighbour that never delivered
	byeTime    = time.Second     // of a neighbour that left
	seedTable  = 1 << 14         // neighbours of a seed
)

// rest is how long a peer is not met again, and why.
type rest struct {
	till time.Duration
	why  error // ErrSilent, ErrBye, or ErrUseless, who may not come by itself either
}

// add makes a neighbour of a peer, or returns nil: no room, banned, resting. Who came by itself is neither silent
// nor gone, whatever was thought of it.
func (c *Core) add(peer transport.Peer, came bool) *neighbour {
	room := c.p.MaxTable
	if c.cfg.Seed {
		room = seedTable
	}
	if c.left || len(c.neighbours) >= room || c.banned[peer.Addr] || !peer.ID.IsZero() && c.bannedKeys[peer.ID] {
		return nil
	}
	if r, ok := c.resting[peer.Addr]; ok && c.now < r.till && (r.why == ErrUseless || !came) && len(c.neighbours) > 0 { // better than nobody
		return nil
	}
	c.lastID++
	v := &neighbour{id: c.lastID, peer: peer, since: c.now, tab: c.cfg.Ledger.open(peer)}
	if c.known {
		c.makeRoomIn(v)
	}
	v.cl.burst = c.p.FirstBurst
	c.neighbours = append(c.neighbours, v)
	c.byID[v.id], c.byAddr[peer.Addr] = v, v
	if c.cfg.Seed {
		c.byTag[tagOf(peer.ID)] = v
	}
	return v
}

// makeRoomIn makes room for what v has and gets, once the object's size is known.
func (c *Core) makeRoomIn(v *neighbour) {
	v.have, v.sentTo = newBitset(c.n), newBitset(c.n)
	metas := c.header.NumMetaChunks()
	v.proofs, v.promised, v.shown = newBitset(metas), newBitset(metas), newBitset(metas)
	if c.cfg.Seed {
		v.pending = newBitset(c.n)
	}
}

// meet makes a neighbour of a peer and opens a session to it. by named it, nil if a locator did.
func (c *Core) meet(in Introduction, by *neighbour) *neighbour {
	if c.byAddr[in.Peer.Addr] != nil || c.reached(in.Peer.ID, nil) != nil {
		return nil
	}
	v := c.add(in.Peer, false)
	if v != nil {
		v.dialled, v.dialling = true, c.cfg.Dials
		a := Connect{To: v.id, Intro: in}
		if by != nil {
			a.By = by.id
		}
		c.emit(a)
	}
	return v
}

// reached returns a neighbour other than v that we opened a session to under this key, nil if
// there is none. A peer that is listed at several addresses is dialled at all of them, since some may be
// out of date; the first to open is the neighbour.
func (c *Core) reached(key transport.PeerID, v *neighbour) *neighbour {
	if key.IsZero() {
		return nil
	}
	for _, w := range c.neighbours {
		if w != v && w.dialled && !w.dialling && w.peer.ID == key {
			return w
		}
	}
	return nil
}

// single drops the neighbours that stand for the same peer as v, which is open; v itself if
// another was first.
func (c *Core) single(v *neighbour) {
	if c.reached(v.peer.ID, v) != nil {
		c.drop(v, ErrTwice)
		return
	}
	for _, w := range slices.Clone(c.neighbours) {
		if w != v && w.dialling && !w.peer.ID.IsZero() && w.peer.ID == v.peer.ID {
			v.seed = v.seed || w.seed
			c.drop(w, ErrTwice)
		}
	}
}

// introduced meets as many of the peers that by named as there is room for and greets them.
func (c *Core) introduced(by *neighbour, peers []Introduction) {
	fresh := c.meetAll(by, peers)
	switch {
	case len(fresh) > 0:
		c.fruitless = 0
	case by != nil && !by.seed && len(peers) > 0:
		c.fruitless++
	}
	c.greetAll(fresh)
}

func (c *Core) meetAll(by *neighbour, peers []Introduction) (fresh []*neighbour) {
	if c.done || c.left {
		return nil
	}
	for _, in := range peers {
		if len(c.neighbours) >= c.p.MaxDegree && !c.makeRoom() {
			break
		}
		if v := c.meet(in, by); v != nil {
			fresh = append(fresh, v)
		}
	}
	return fresh
}

func (c *Core) greetAll(fresh []*neighbour) {
	for j, v := range fresh {
		if c.p.Profile == ProfileClassic {
			c.firstHandshake(v)
		} else {
			c.hello(v, j, len(fresh))
		}
	}
}

// makeRoom lets a neighbour go that has nothing for us and asks nothing of us: a group
// that joined together ends up lacking the same chunk, and repairs its
// partition (F20) only by meeting others.
func (c *Core) makeRoom() bool {
	if c.p.Profile == ProfileClassic || !c.known {
		return false
	}
	for _, v := range c.neighbours {
		if !v.seed && len(v.queued) == 0 && len(v.asked) == 0 && c.now-max(v.heard, v.since) > freshTime && !c.bits.lacks(v.have) {
			c.send(v, &Bye{})
			c.drop(v, ErrNoRoom)
			return true
		}
	}
	return false
}

// drop removes a neighbour and frees what was asked of it.
func (c *Core) drop(v *neighbour, why error) {
	at := slices.Index(c.neighbours, v)
	if at < 0 {
		return
	}
	c.neighbours = slices.Delete(c.neighbours, at, at+1)
	delete(c.byID, v.id)
	delete(c.byAddr, v.peer.Addr)
	if v.delivered > 0 {
		c.givers--
	}
	if c.cfg.Seed && c.byTag[tagOf(v.peer.ID)] == v {
		delete(c.byTag, tagOf(v.peer.ID))
	}
	c.cache.forget(v.id)
	c.members.leave(v.id)
	c.endLoan(v)
	c.forgetRequests(v)
	c.classicRelease(v)
	for len(v.asked) > 0 {
		c.takeOff(v, len(v.asked)-1)
	}
	c.forgetHoldings(v)
	switch why {
	case ErrSilent:
		c.stats.Dead++
		if v.delivered == 0 { // one that delivered may only have been slow for a moment
			c.rest(v, rest{c.now + restTime, why})
		}
	case ErrUseless:
		c.rest(v, rest{c.now + restTime, why})
	case ErrBye: // others still recommend it for a while
		c.departures.byes++
		c.rest(v, rest{c.now + byeTime, why})
	}
	c.emit(Drop{v.id, v.peer, why})
}

// rest keeps a peer from being met again at once.
func (c *Core) rest(v *neighbour, r rest) {
	if len(c.resting) >= maxResting {
		for a, old := range c.resting {
			if old.till <= c.now {
				delete(c.resting, a)
			}
		}
	}
	if len(c.resting) < maxResting {
		c.resting[v.peer.Addr] = r
	}
}

// ban drops a neighbour for good, by key and by address.
func (c *Core) ban(v *neighbour, why error) {
	if c.byID[v.id] == nil {
		return
	}
	if len(c.banned) < maxBanned {
		c.banned[v.peer.Addr] = true
		if !v.peer.ID.IsZero() {
			c.bannedKeys[v.peer.ID] = true
		}
	}
	c.emit(Ban{v.id, v.peer, why})
	c.drop(v, why)
}

// recommend returns up to k introductions for v from the Roulette cache (F18).
func (c *Core) recommend(v *neighbour, k int) []Introduction {
	var out []Introduction
	for try := 0; try < 3*k && len(out) < k; try++ {
		w := c.byID[c.acquaintance()]
		if w == nil || w == v || w.seed || slices.ContainsFunc(out, func(in Introduction) bool { return in.Peer.Addr == w.peer.Addr }) {
			continue
		}
		if c.p.Profile == ProfileTuned && (c.now-w.heard > freshTime || c.nearlyDone(w) || !c.vouches(w)) {
			continue
		}
		out = append(out, Introduction{Peer: w.peer})
	}
	return out
}

// vouches reports whether w may be recommended: who gave us something, and everybody where nobody can have, to newcomers among
// newcomers, who have nothing, and to who is done, who needs nothing (docs/adr/0034).
func (c *Core) vouches(w *neighbour) bool {
	return c.done || w.delivered > 0 || c.informative() == 0
}

// acquaintance draws a neighbour from the Roulette cache, and where nothing was exchanged yet and that is empty, any neighbour.
func (c *Core) acquaintance() NeighbourID {
	id, ok := c.cache.pick(c.rng)
	if !ok && c.p.Profile == ProfileTuned && len(c.neighbours) > 0 {
		id = c.neighbours[c.rng.IntN(len(c.neighbours))].id
	}
	return id
}

// freshTime is how recently a neighbour must have been heard to be recommended.
const freshTime = 300 * time.Millisecond
