package roulette

import (
	"math"
	"slices"
	"time"

	"nt/chunker"
)

// receiveAsks queues what v asks for.
func (c *Core) receiveAsks(v *neighbour, asks []Ask) {
	if !c.known || c.byID[v.id] == nil {
		return
	}
	for _, a := range asks {
		switch {
		case int(a.Chunk) >= c.n:
			c.ban(v, ErrDishonest)
			return
		case a.ProofOnly && !(c.pacesAll() && len(v.queued) < c.p.MaxQueue):
			c.sendProofAlone(v, chunker.MetaOf(int(a.Chunk)))
		case a.ProofOnly:
			v.queued = slices.Insert(v.queued, 0, want{Ask: a, at: c.now})
		case c.cfg.Seed && v.waitsFor(a): // it gave the request up and makes it again; the first is still good
		case c.cfg.Seed && len(v.queued) < c.p.MaxQueue:
			// Readers ask a seed for what no neighbour of theirs has.
			c.demand[a.Chunk]++
			v.queued = append(v.queued, want{Ask: a, counts: true, at: c.now})
			c.forgetOld(v)
		case len(v.queued) < c.p.MaxQueue && c.bits.has(int(a.Chunk)):
			v.queued = append(v.queued, want{Ask: a, at: c.now})
		}
	}
}

// forgetOld drops what a reader has asked for and given up: of a busy seed it asks one chunk at a time, gives it up when it has waited
// its time, and asks for another. Who remembers but its last maxOld takes no answer to what it gave up before, and a seed that served all
// it was ever asked for sent nothing else in the end (docs/experiments/causes.md). On a fast link many requests wait, but not for long.
func (c *Core) forgetOld(v *neighbour) {
	if len(c.members.of) <= c.p.SeedCrowd {
		return
	}
	keep, patience := lastAsks, longForgotten
	if c.blocks > 1 {
		keep, patience = 1, maxPatience
	}
	for len(v.queued) > keep {
		k := slices.IndexFunc(v.queued, func(q want) bool { return q.counts && !q.started && c.now-q.at > patience })
		if k < 0 {
			return
		}
		c.unqueue(v, k)
	}
}

// longForgotten is after what time nobody waits for the answer to a request of one block any more.
const longForgotten = 2 * time.Second

// waitsFor reports whether the same request of v waits already.
func (v *neighbour) waitsFor(a Ask) bool {
	return slices.ContainsFunc(v.queued, func(q want) bool {
		return q.counts && q.asked() == a.Chunk && q.First == a.First && q.Count == a.Count
	})
}

// unqueue removes the k-th request of v's queue.
func (c *Core) unqueue(v *neighbour, k int) {
	q := &v.queued[k]
	if q.counts {
		c.demand[q.asked()]--
	}
	if q.next > 0 && c.cfg.Seed {
		c.giveBack(int(q.Chunk))
	}
	v.queued = slices.Delete(v.queued, k, k+1)
}

// forgetRequests drops all that v asked for.
func (c *Core) forgetRequests(v *neighbour) {
	for len(v.queued) > 0 {
		c.unqueue(v, len(v.queued)-1)
	}
}

func (c *Core) receiveCancel(v *neighbour, m *Cancel) {
	for _, i := range m.Chunks {
		for k := range v.queued {
			if q := &v.queued[k]; !q.blind && !q.ProofOnly && q.Chunk == i {
				c.unqueue(v, k)
				break
			}
		}
	}
}

// nextToServe chooses whose request is answered: readers within their tab first, best
// balance first, but newcomers before them; who has never given anything gets NewBlocks; the
// others only when the uplink has been idle. A seed is exempt but
// fair: who got least is first (F19, R7), after proofs and what is pushed to newcomers.
func (c *Core) nextToServe() *neighbour {
	var best, poor *neighbour
	var bestRank, poorRank int64
	for _, v := range c.neighbours {
		if len(v.queued) == 0 || c.full(v) {
			continue
		}
		rank := c.rank(v)
		if !c.cfg.Seed && (!v.tab.within(&c.p, BlockSize) || v.delivered == 0 && v.served >= c.p.NewBlocks) {
			if poor == nil || rank < poorRank {
				poor, poorRank = v, rank
			}
			continue
		}
		if best == nil || rank < bestRank {
			best, bestRank = v, rank
		}
	}
	if best == nil && poor != nil && c.now-c.contentAt >= c.idleTime() {
		return poor
	}
	return best
}

// rank orders neighbours whose requests wait: the lowest is served first.
func (c *Core) rank(v *neighbour) (rank int64) {
	q := &v.queued[0]
	if c.cfg.Seed {
		rank = c.seedRank(v, q.at)
	} else {
		rank = v.tab.balance()
	}
	switch {
	case c.cfg.Seed && q.ProofOnly: // what it has is worth nothing to anybody before
		rank -= 2 * newcomer
	case c.cfg.Seed && q.push && c.unserved == 0: // who has nothing will be there for longest, and give what it gets to most
		rank -= newcomer
	case !c.cfg.Seed && v.count < c.p.NewFirst: // its first chunks are what it can give to all others
		rank -= newcomer
	}
	if q.next > 0 { // half a chunk is worth nothing to anybody
		rank -= newcomer
	}
	return rank
}

// idleTime is how long the uplink must have been idle to be taken for unused: on a slow one a block
// alone takes most of IdleGive.
func (c *Core) idleTime() time.Duration {
	return max(c.p.IdleGive, 2*c.ownBlock())
}

// newcomer puts a neighbour with next to nothing before every balance of bytes, and every turn at a seed.
const newcomer = 1 << 58

// serveAt is when serveAll should be tried again, while requests wait.
func (c *Core) serveAt() time.Duration {
	if !c.cfg.Uplink.ready(c.now) {
		return c.cfg.Uplink.readyAt()
	}
	return c.contentAt + c.idleTime()
}

// serve sends the next block of v's first request.
func (c *Core) serve(v *neighbour) {
	q := &v.queued[0]
	if q.ProofOnly {
		c.sendProofAlone(v, chunker.MetaOf(int(q.Chunk)))
		c.unqueue(v, 0)
		return
	}
	chunk, block := int(q.Chunk), int(q.First)+int(q.next)
	asked := q.Chunk
	whole := q.Count == 0 && q.First == 0
	switch {
	case q.blind:
		if chunk = c.blindChoice(v, q); chunk < 0 {
			c.unqueue(v, 0)
			c.status(v)
			return
		}
		asked = uint32(chunk)
		// A blind request becomes one for the chunk that was chosen.
		q.Chunk = asked
	case c.cfg.Seed && q.Any && q.next == 0 && whole && !c.p.NoSubstitute:
		chunk = c.substitute(v, chunk)
		q.Chunk = uint32(chunk)
		q.instead = asked
		q.swapped = asked != q.Chunk
	}
	if q.swapped {
		asked = q.instead
	}
	if block >= c.blocksOf(chunk) || !c.bits.has(chunk) || q.till > 0 && c.now > q.till || q.blind && v.have.has(chunk) {
		c.unqueue(v, 0)
		return
	}
	if q.next == 0 {
		c.prove(v, q, chunk)
	}
	left := c.blocksOf(chunk) - block
	if q.Count > 0 {
		left = min(left, int(q.Count)-int(q.next))
	}
	if c.cfg.Seed && q.next == 0 {
		c.give(chunk)
	}
	run := c.run(v, left)
	last := run == left
	m := &Data{Chunk: uint32(chunk), Block: uint8(block), For: asked, Blind: q.blind,
		Len: min(run*BlockSize, c.header.ChunkLen(chunk)-block*BlockSize)}
	if last {
		q.next = 0 // nothing of it is to be given back
		c.unqueue(v, 0)
	} else {
		q.next += uint8(run)
		q.started = true
	}
	c.fillData(v, m)
	c.send(v, m)
	c.account(v, m, last)
}

// fillData adds to DATA everything v should know besides (R4).
func (c *Core) fillData(v *neighbour, m *Data) {
	m.Queue = uint8(min(c.queueTime(v)/queueUnit, math.MaxUint8))
	if !c.cfg.Seed {
		c.pumpAt(v)
		if m.Blind && v.count == 0 {
			m.Swap = c.lend(v)
		}
		m.Have = c.news(v, max(MaxSummaryData, m.Len/firstShare))
		m.WantPeers = c.wishPeers()
		m.Asks = c.takeAsks(v, MaxAsksData)
	} else if c.members.of[v.id] == nil { // greeted by HELLO, not by JOIN: it does not know that a seed has everything
		m.Have = c.mySummary()
	}
	if v.wanted && len(m.Have) <= MaxSummaryData { // not both: it must fit a datagram
		v.wanted = false
		m.Peers = c.recommend(v, MaxIntrosData)
	}
	c.told(v)
}

func (c *Core) account(v *neighbour, m *Data, last bool) {
	c.contentAt = c.now
	v.tab.sent(m.Len)
	if c.cfg.Seed {
		c.tookTurn(v, blocksIn(m.Len))
	}
	v.served += blocksIn(m.Len)
	c.cache.add(v.id, len(c.neighbours))
	if last {
		v.sentTo.add(int(m.Chunk))
		if c.cfg.Seed {
			v.lately.add(c.now, int(m.Chunk), c.n)
			c.markHave(v, int(m.Chunk))
		}
	}
}

// queueTime is how long a request of v made now would wait here.
func (c *Core) queueTime(v *neighbour) time.Duration {
	rate := c.cfg.Uplink.Rate()
	if math.IsInf(rate, 1) {
		return 0
	}
	wait := float64(c.queuedBlocks()*(BlockSize+c.cfg.Uplink.overhead+40)) / rate
	return c.cfg.Uplink.waiting() + time.Duration(wait*float64(time.Second))
}

func (c *Core) queuedBlocks() int {
	n := 0
	for _, v := range c.neighbours {
		n += len(v.queued)
	}
	return n
}
