package roulette

import "nt/chunker/nois"

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
	if theirs.Difference(c.have).Count() > 0 {
		v.cl.again = 0 // it has something for us
	}
	if c.cfg.Seed || v.tab.within(&c.p, 1) {
		offer := c.have.Difference(theirs)
		c.send(v, &FirstHandshake{Object: m.Object, Reply: true, Intervals: spans(offer.Top(MaxIntervals, uint32(c.n)))})
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
		if c.cfg.Seed && c.flooded() || !c.cfg.Seed && !v.tab.within(&c.p, size) {
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

// flooded reports whether a seed that knows its uplink has as much in its modem as it should. The
// 2006 seed sends all the same; then its full queue swallows what newcomers need to get in.
func (c *Core) flooded() bool { return c.p.Backlog > 0 && c.cfg.Uplink.waiting() > c.p.Backlog }
