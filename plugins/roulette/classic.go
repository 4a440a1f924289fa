package roulette

import (
	"time"

	"nt/chunker/nois"
)

// classicState is what the classic profile keeps for one neighbour.
type classicState struct {
	burst  int           // chunks of the next second handshake (F41)
	offer  bitset        // what it offered in its last first handshake
	wants  bitset        // chunks of the running burst that did not come yet
	asked  int           // chunks of the running burst
	got    int           // of those, how many came
	sentAt time.Duration // of the handshake that is out
	rate   float64       // bytes/s of its last whole burst
	idle   bool          // it offered nothing; until it shows that it has something
}

// receiveClassic is the classic profile's half of Receive.
func (c *Core) receiveClassic(v *neighbour, m Message) {
	switch m := m.(type) {
	case *Join:
		c.receiveJoin(v, m)
	case *Welcome:
		c.receiveWelcome(v, m)
	case *FirstHandshake:
		switch {
		case m.Object != c.cfg.Object || !c.known && !m.Reply:
			c.send(v, &NoFile{Object: m.Object})
		case m.Reply:
			c.offered(v, m)
		default:
			c.serveFirst(v, m)
		}
	case *SecondHandshake:
		c.serveSecond(v, m)
	case *Data:
		c.classicData(v, m)
	case *Request:
		c.receiveAsks(v, m.Asks) // proofs only: nothing else serves v.queued here
		v.queued = nil
	case *Proof:
		c.receiveProof(v, m)
	case *Recommend:
		if m.Want {
			c.send(v, &Recommend{Peers: c.recommend(v, 1)})
		} else {
			c.introduced(m.Peers)
		}
	case *Rescue:
		c.receiveRescue(v, m)
	case *NoFile:
		c.noFile(v)
	case *Bye:
		c.drop(v, ErrBye)
	}
}

// noFile puts v back to INIT: with one object to a swarm there is no other file to
// ask for, so it stays only as long as it asks us (F38).
func (c *Core) noFile(v *neighbour) {
	v.state, v.deadline = StateInit, 0
	v.cl.idle = true
}

// interested reports whether v is worth a first handshake (F29).
func (c *Core) interested(v *neighbour) bool {
	return c.known && !c.done && !c.cfg.Seed && !v.cl.idle
}

// firstHandshake sends our top intervals and waits for an offer (F30).
func (c *Core) firstHandshake(v *neighbour) {
	if !c.interested(v) {
		v.state, v.deadline = StateInit, 0
		return
	}
	v.state = StateFirstHandshake
	v.cl.sentAt = c.now
	v.deadline = c.now + c.timeout(v, 1)
	c.send(v, &FirstHandshake{Object: c.cfg.Object, Intervals: spans(c.have.Top(MaxIntervals, uint32(c.n)))})
}

func spans(ivs []nois.Interval) []Span {
	out := make([]Span, len(ivs))
	for i, iv := range ivs {
		out[i] = Span(iv)
	}
	return out
}

// offered takes the reply to a first handshake.
func (c *Core) offered(v *neighbour, m *FirstHandshake) {
	if v.state != StateFirstHandshake || !c.known {
		return
	}
	v.lat.add(c.now - v.cl.sentAt)
	v.cl.offer = newBitset(c.n)
	for _, s := range m.Intervals {
		if int(s.End) > c.n {
			c.ban(v, ErrDishonest)
			return
		}
		addRange(int(s.Start), int(s.End), func(w int, mask uint64) { v.cl.offer[w] |= mask })
	}
	if !c.bits.lacks(v.cl.offer) {
		c.noFile(v)
		return
	}
	c.secondHandshake(v)
}

// secondHandshake asks for random chunks of the offer, as many as the burst, and
// waits for them (F31); an exhausted offer leads back to the first handshake (F32).
func (c *Core) secondHandshake(v *neighbour) {
	v.state = StateSecondHandshake
	c.classicRelease(v)
	ids := c.randomChunks(v, max(1, min(v.cl.burst, MaxBurst)))
	if len(ids) == 0 {
		c.firstHandshake(v)
		return
	}
	v.cl.wants = newBitset(c.n)
	for _, i := range ids {
		v.cl.wants.add(int(i))
		c.reserved[i]++
	}
	v.cl.asked, v.cl.got = len(ids), 0
	v.cl.sentAt = c.now
	v.state = StateWaitForData
	v.deadline = c.now + c.timeout(v, len(ids))
	c.send(v, &SecondHandshake{Chunks: ids})
}

// randomChunks draws up to k chunks of the offer that are missing. Those asked of
// another neighbour are taken only when there are no others.
func (c *Core) randomChunks(v *neighbour, k int) []uint32 {
	var fresh, dup []uint32
	for w := range v.cl.offer {
		for m := v.cl.offer[w] &^ c.bits[w]; m != 0; m &= m - 1 {
			i := uint32(w*64 + trailing(m))
			if c.reserved[i] == 0 {
				fresh = append(fresh, i)
			} else {
				dup = append(dup, i)
			}
		}
	}
	if len(fresh) == 0 {
		fresh = dup
	}
	c.rng.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
	return fresh[:min(k, len(fresh))]
}

// classicRelease forgets the running burst.
func (c *Core) classicRelease(v *neighbour) {
	for w, m := range v.cl.wants {
		for ; m != 0; m &= m - 1 {
			c.reserved[w*64+trailing(m)]--
		}
	}
	v.cl.wants = nil
}

// timeout is how long n chunks, or a handshake, may take: the round trip and
// its deviation as measured, and the chunks at the measured rate (F42).
func (c *Core) timeout(v *neighbour, n int) time.Duration {
	if v.lat.n == 0 {
		return c.p.HelloRetry
	}
	t := v.lat.mean + 4*v.lat.dev
	if v.cl.rate > 0 && c.known {
		t += time.Duration(float64(n*c.header.ChunkSize()) / v.cl.rate * float64(time.Second))
	}
	return min(max(t, c.p.MinTimeout), c.p.MaxTimeout)
}

// classicData takes a block of the running burst; a whole burst leads at once to the
// next second handshake, one chunk larger (F32, F41).
func (c *Core) classicData(v *neighbour, m *Data) {
	i := int(m.Chunk)
	if v.state != StateWaitForData || i >= c.n || !v.cl.wants.has(i) {
		c.stats.Unasked++
		return
	}
	v.delivered++
	v.tab.received(m.Len)
	c.cache.add(v.id, len(c.neighbours))
	if int(m.Block)+1 >= c.blocksOf(i) {
		v.cl.wants.drop(i)
		c.reserved[i]--
		v.cl.got++
	}
	c.takeBlock(v, m.Chunk, m.Block, m.Payload)
	if c.byID[v.id] == nil || v.state != StateWaitForData || v.cl.got < v.cl.asked {
		return
	}
	v.lat.add(c.now - v.cl.sentAt)
	if took := c.now - v.cl.sentAt - v.link.rtt; took > 0 {
		v.cl.rate = float64(v.cl.got*c.header.ChunkSize()) / took.Seconds()
	}
	v.cl.burst++
	if c.done {
		v.state, v.deadline = StateInit, 0
		return
	}
	c.secondHandshake(v)
}

// classicTimeout is the end of the wait in any state (F32, F33, F41).
func (c *Core) classicTimeout(v *neighbour) {
	if v.state == StateWaitForData && v.cl.got > 0 {
		v.cl.burst = v.cl.got // precise decrease
		c.secondHandshake(v)
		return
	}
	if v.tries++; v.tries > c.p.Resends {
		c.drop(v, ErrSilent)
		return
	}
	switch v.state {
	case StateWaitForData:
		v.cl.burst = 1 // the floor after a lost burst
		c.secondHandshake(v)
	case StateFirstHandshake:
		if v.seed && !c.known {
			c.join(v)
			return
		}
		c.firstHandshake(v)
	default:
		v.deadline = 0
	}
}

// serveFirst answers a first handshake with what we have and the other lacks,
// unless its tab is full: then silence (F35, F37, F39).
func (c *Core) serveFirst(v *neighbour, m *FirstHandshake) {
	theirs := new(nois.Set)
	for _, s := range m.Intervals {
		if int(s.End) > c.n {
			c.ban(v, ErrDishonest)
			return
		}
		theirs.AddRange(nois.Interval(s))
	}
	if v.state == StateInit && theirs.Difference(c.have).Count() > 0 {
		v.cl.idle = false // it has something for us
	}
	if c.cfg.Seed || v.tab.within(&c.p, 1) {
		offer := c.have.Difference(theirs)
		c.send(v, &FirstHandshake{Object: m.Object, Reply: true, Intervals: spans(offer.Top(MaxIntervals, uint32(c.n)))})
	}
	if v.state == StateInit && c.interested(v) {
		c.firstHandshake(v)
	}
}

// serveSecond sends the chunks asked for that are there, as far as the tab
// goes, clipped per chunk (F36, F40).
func (c *Core) serveSecond(v *neighbour, m *SecondHandshake) {
	if !c.known {
		return
	}
	for _, i := range m.Chunks {
		if int(i) >= c.n {
			c.ban(v, ErrDishonest)
			return
		}
		if !c.bits.has(int(i)) {
			continue
		}
		size := c.header.ChunkLen(int(i))
		if !c.cfg.Seed && !v.tab.within(&c.p, size) {
			return
		}
		for off := 0; off < size; off += BlockSize {
			c.send(v, &Data{Chunk: i, For: i, Block: uint8(off / BlockSize), Len: min(BlockSize, size-off)})
		}
		v.tab.sent(size)
		v.served++
		c.cache.add(v.id, len(c.neighbours))
	}
}

// stepClassic runs what is due: time-outs, new first handshakes, neighbour seeking.
func (c *Core) stepClassic() {
	for i := 0; i < len(c.neighbours); i++ {
		v := c.neighbours[i]
		switch {
		case v.deadline > 0 && c.now >= v.deadline:
			c.classicTimeout(v)
		case c.now-max(v.heard, v.since) > c.p.DeadAfter:
			c.drop(v, ErrSilent)
		case v.state == StateInit && c.interested(v) && !(v.seed && v.heard == 0):
			c.firstHandshake(v)
		}
		if i < len(c.neighbours) && c.neighbours[i] != v {
			i--
		}
	}
	if c.done || c.cfg.Seed || c.left || c.failed {
		return
	}
	if c.now >= c.seekAt {
		c.seek()
	}
}

// seek asks a random neighbour to recommend one (F12-F15); without any, the
// partition is repaired by the locator (F20).
func (c *Core) seek() {
	d := len(c.neighbours)
	c.seekAt = c.now + c.p.SeekEvery*time.Duration(max(d, c.p.MinDegree))/time.Duration(c.p.MinDegree)
	switch {
	case d == 0:
		c.seekAt = c.now + 10*c.p.SeekEvery
		c.emit(WantPeers{})
	case d < c.p.MaxDegree:
		c.send(c.neighbours[c.rng.IntN(d)], &Recommend{Want: true})
	}
}

func (c *Core) deadlinesClassic(at func(time.Duration)) {
	for _, v := range c.neighbours {
		if v.deadline > 0 {
			at(v.deadline)
		}
		at(max(v.heard, v.since) + c.p.DeadAfter + time.Millisecond)
	}
	if !c.done && !c.cfg.Seed {
		at(c.seekAt)
	}
}
