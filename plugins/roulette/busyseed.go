package roulette

import "slices"

// A seed that said in WELCOME that it is busy is asked only for what nobody else can give (R3).

const (
	// fewCopies is how many neighbours may have what a busy seed is asked for, the seed among them.
	fewCopies = 2
	// fewGive is how many others who gave something may have what a busy seed of few is asked for.
	fewGive = 2
	// lastChunks is how many chunks short of complete a reader asks a busy seed for all that no neighbour gives: what is
	// missing then is what those have who serve nobody, one at a time would take a round trip each, and the seed serves
	// those meanwhile.
	lastChunks = 24
	// lastAsks is how many blocks may be outstanding at a busy seed then.
	lastAsks = 8
	// busyShare is how many blocks may be outstanding at a busy seed by all who give each other something: as many as give us
	// anything are taken to ask it besides us. Of a seed of few.
	busyShare = 32
)

// askBusySeed asks a busy seed for chunks that few neighbours have, while the window has room, in blocks, that nobody
// else can fill.
func (c *Core) askBusySeed(room int) (blocks int) {
	stranded := c.stranded()
	most := c.p.PerNeighbour
	switch {
	case stranded || c.missing <= lastChunks:
		most = lastAsks
	case c.informative() < c.p.SeedAfter:
		return 0
	}
	for _, v := range c.neighbours {
		if !v.seed || !v.busy || c.now < v.restTill {
			continue
		}
		open, late := v.open()
		most := most
		if v.ofFew && c.givers > 0 {
			most = max(most, min(lastAsks, busyShare/c.givers))
		}
		for late == 0 && open < most && blocks < room {
			i := c.onlyAt(v, stranded)
			if i < 0 {
				break
			}
			n := c.ask(v, i)
			open, blocks = open+n, blocks+n
		}
	}
	return blocks
}

// askIdleSeed asks a busy seed of a large object, whose queue has run out as far as it told, for a chunk that nobody
// else is known to have: one, whether the window has room or not, unless the window gives way to other traffic. Readers
// whose windows are full of each other's chunks left the seed idle for a fifth of the time, and until it has given all away
// nobody can be done (docs/adr/0029).
func (c *Core) askIdleSeed(open, window int) (blocks int) {
	if c.blocks <= 1 || c.within(open+c.blocks) <= open || c.informative() < c.p.SeedAfter {
		return 0
	}
	if c.yield.ceiling > 0 && open >= window {
		return 0
	}
	for _, v := range c.neighbours {
		if !v.seed || !v.busy || len(v.asked) > 0 || c.now < max(v.restTill, v.queueAt+v.queue) {
			continue
		}
		cand := func(w int) uint64 { return v.have[w] & c.free[w] }
		if i := rarest(len(c.free), cand, c.rarity(), c.rng); i >= 0 && c.avail[i] <= 1 {
			return c.ask(v, i)
		}
	}
	return 0
}

// informative is how many readers told what they hold.
func (c *Core) informative() (n int) {
	for _, v := range c.neighbours {
		if !v.seed && v.count > 0 {
			n++
		}
	}
	return n
}

// stranded reports whether a reader that has something to give has nobody left who ever gave it anything: honest readers leave when
// they are done, those who serve nobody stay, and a busy seed was asked for nothing that these have (docs/adr/0034).
func (c *Core) stranded() bool {
	return c.n-c.missing >= c.p.BlindUntil && !slices.ContainsFunc(c.neighbours, func(v *neighbour) bool { return !v.seed && v.delivered > 0 })
}

// onlyAt returns the chunk to ask a busy seed for, or -1: the rarest where nobody else gives anything; else one of which there are
// few copies, at the end one that nobody has who ever gave anything. Of a seed of few, which bears it, one that few have of those who
// gave something: where most serve nobody everything seems to be there often.
func (c *Core) onlyAt(seed *neighbour, stranded bool) int {
	cand := func(w int) uint64 { return seed.have[w] & c.free[w] }
	if seed.ofFew && !stranded && c.missing > lastChunks && c.givers > 1 {
		if i := rarest(len(c.free), cand, c.atGivers, c.rng); i >= 0 && c.others(seed, i) <= fewGive {
			return i
		}
		return -1
	}
	if i := rarest(len(c.free), cand, c.rarity(), c.rng); i < 0 || stranded || c.avail[i] <= fewCopies {
		return i
	}
	if c.missing > lastChunks {
		return -1
	}
	none := func(w int) (mask uint64) {
		for m := cand(w); m != 0; m &= m - 1 {
			if c.others(seed, w*64+trailing(m)) == 0 {
				mask |= m & -m
			}
		}
		return mask
	}
	return rarest(len(c.free), none, c.rarity(), c.rng)
}

// others is how many others than a seed have chunk i and gave us something.
func (c *Core) others(seed *neighbour, i int) int {
	n := int(c.atGivers[i])
	if seed.delivered > 0 && seed.have.has(i) {
		n--
	}
	return n
}
