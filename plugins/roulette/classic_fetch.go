package roulette

import (
	"time"

	"nt/chunker/nois"
)

// wanted reports whether anything is still to be fetched (F29).
func (c *Core) wanted() bool { return c.known && !c.done && !c.cfg.Seed }

// interested reports whether v is worth a first handshake now (F29).
func (c *Core) interested(v *neighbour) bool { return c.wanted() && c.now >= v.cl.again }

// lookElsewhere puts v back to INIT: it has nothing for us. With one object to a
// swarm there is no other file to try (F29, F38); instead of being disconnected, which
// would leave newcomers without anybody, v is asked again later.
func (c *Core) lookElsewhere(v *neighbour) {
	c.classicRelease(v)
	v.state, v.deadline = StateInit, 0
	v.cl.tries = 0
	v.cl.again = c.now + c.p.LookAgain
}

// firstHandshake sends our top intervals and waits for an offer (F30).
func (c *Core) firstHandshake(v *neighbour) {
	if !c.interested(v) {
		v.state, v.deadline = StateInit, 0
		return
	}
	v.state = StateFirstHandshake
	v.cl.sentAt = c.now
	v.deadline = c.now + c.timeout(v, 0)
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
	if v.cl.tries == 0 { // else it may be the answer to an earlier one
		v.lat.Add(c.now - v.cl.sentAt)
	}
	v.cl.tries = 0
	v.cl.offer = newBitset(c.n)
	for _, s := range m.Intervals {
		if int(s.End) > c.n {
			c.ban(v, ErrDishonest)
			return
		}
		addRange(int(s.Start), int(s.End), func(w int, mask uint64) { v.cl.offer[w] |= mask })
	}
	if !c.bits.lacks(v.cl.offer) {
		c.lookElsewhere(v)
		return
	}
	c.secondHandshake(v)
}

// secondHandshake asks for random chunks of the offer, as many as the burst, and
// waits for them (F31); an exhausted offer leads back to the first handshake (F32).
func (c *Core) secondHandshake(v *neighbour) {
	v.state = StateSecondHandshake
	c.classicRelease(v)
	ids := c.randomChunks(v, max(1, min(v.cl.burst/c.blocks, MaxBurst)))
	if len(ids) == 0 {
		if c.bits.lacks(v.cl.offer) { // the rest of it is asked of others
			c.lookElsewhere(v)
		} else {
			c.firstHandshake(v)
		}
		return
	}
	if v.cl.ever == nil {
		v.cl.ever = newBitset(c.n)
	}
	v.cl.wants = newBitset(c.n)
	v.cl.asked, v.cl.got = 0, 0
	for _, i := range ids {
		v.cl.wants.add(int(i))
		v.cl.ever.add(int(i))
		v.cl.asked += c.blocksOf(int(i))
		c.reserved[i]++
	}
	v.cl.sentAt = c.now
	v.state = StateWaitForData
	v.deadline = c.now + c.timeout(v, v.cl.asked)
	c.send(v, &SecondHandshake{Chunks: ids})
}

// randomChunks draws up to k chunks of the offer that are missing. Those asked of
// another neighbour are left to it until no more than Endgame are missing, and those
// that only wait for their proof are not asked for.
func (c *Core) randomChunks(v *neighbour, k int) []uint32 {
	waiting := c.waiting()
	var fresh, dup []uint32
	for w := range v.cl.offer {
		for m := v.cl.offer[w] &^ c.bits[w] &^ waiting[w]; m != 0; m &= m - 1 {
			i := uint32(w*64 + trailing(m))
			if c.reserved[i] == 0 {
				fresh = append(fresh, i)
			} else {
				dup = append(dup, i)
			}
		}
	}
	if len(fresh) == 0 && c.missing <= min(c.p.Endgame, c.n/16) {
		fresh = dup
	}
	c.rng.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
	return fresh[:min(k, len(fresh))]
}

// waiting returns the chunks that are held until their proof comes.
func (c *Core) waiting() bitset {
	b := newBitset(c.n)
	if c.blocks == 1 {
		for _, h := range c.held {
			b.add(int(h.chunk))
		}
	}
	return b
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

// timeout is how long n blocks, or with 0 the answer to a first handshake, may take: the
// round trip and its deviation as measured and the blocks at the rate of earlier bursts (F42).
func (c *Core) timeout(v *neighbour, n int) time.Duration {
	t := c.p.HelloRetry
	if v.lat.N > 0 {
		t = v.lat.Usual()
		switch {
		case n > 0 && v.cl.rate > 0:
			t += time.Duration(float64(n*BlockSize) / v.cl.rate * float64(time.Second))
		case n > 0:
			t += c.p.HelloRetry
		}
	}
	return min(max(t, c.p.MinTimeout), c.p.MaxTimeout)
}

// classicData takes a block of the running burst, or a late one of an earlier; a whole burst
// leads at once to the next second handshake, one block larger (F32, F41).
func (c *Core) classicData(v *neighbour, m *Data) {
	i := int(m.Chunk)
	if !c.known || i >= c.n || v.cl.ever == nil || !v.cl.ever.has(i) {
		c.stats.Unasked++
		return
	}
	c.gave(v)
	v.tab.received(m.Len)
	c.cache.add(v.id, len(c.neighbours))
	v.cl.tries = 0
	last := int(m.Block)+1 >= c.blocksOf(i)
	if last {
		v.cl.ever.drop(i)
	}
	running := v.state == StateWaitForData && v.cl.wants.has(i)
	if running {
		c.measureBurst(v)
		if last {
			v.cl.wants.drop(i)
			c.reserved[i]--
		}
	}
	c.takeBlock(v, m.Chunk, m.Block, m.Payload)
	if !running || c.byID[v.id] == nil || v.state != StateWaitForData || v.cl.got < v.cl.asked {
		return
	}
	v.cl.burst++
	if c.done {
		v.state, v.deadline = StateInit, 0
		return
	}
	c.secondHandshake(v)
}

// measureBurst notes a block of the running burst: the first one's delay is a
// round trip, the rest come at the rate of the path (F42).
func (c *Core) measureBurst(v *neighbour) {
	if v.cl.got++; v.cl.got == 1 {
		v.cl.firstAt = c.now
		v.lat.Add(c.now - v.cl.sentAt)
		return
	}
	if took := c.now - v.cl.firstAt; v.cl.got == v.cl.asked && took > 0 {
		r := float64((v.cl.got-1)*BlockSize) / took.Seconds()
		if v.cl.rate == 0 {
			v.cl.rate = r
		}
		v.cl.rate += (r - v.cl.rate) / 4
	}
}

// classicTimeout is the end of the wait in any state (F32, F33, F41).
func (c *Core) classicTimeout(v *neighbour) {
	if v.state == StateWaitForData && v.cl.got > 0 {
		v.cl.burst = v.cl.got // precise decrease
		c.secondHandshake(v)
		return
	}
	if v.cl.tries++; v.cl.tries > c.p.Resends {
		c.drop(v, ErrSilent)
		return
	}
	switch v.state {
	case StateWaitForData:
		v.cl.burst = 1 // the floor after a lost burst
		c.secondHandshake(v)
	case StateFirstHandshake:
		if v.seed && v.cl.offer == nil && !c.known {
			v.tries = v.cl.tries
			c.join(v)
			return
		}
		c.firstHandshake(v)
	default:
		v.deadline = 0
	}
}
