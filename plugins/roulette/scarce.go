package roulette

import "nt/chunker"

// What a seed gives first: what it has begun to give to nobody, then what fewest copies are left of (R1).

// give notes that a seed gives a chunk, from its first block on: else all that are served meanwhile
// were given the same.
func (c *Core) give(chunk int) {
	if c.given[chunk]++; c.given[chunk] == 1 {
		c.unserved--
	}
}

// giveBack notes that not all of a chunk was given.
func (c *Core) giveBack(chunk int) {
	if c.given[chunk]--; c.given[chunk] == 0 {
		c.unserved++
	}
}

// substitute returns a less-served chunk than the one asked for, if v lacks one (R1), and any that v lacks for one that was sent it a moment ago:
// that went instead of another, and v could not know. What is asked for later was lost. To the only reader all are worth the same.
func (c *Core) substitute(v *neighbour, chunk int) int {
	if len(c.neighbours) == 1 {
		return chunk
	}
	s := c.scarcity()
	i := c.leastServed(v, &s, func(w int) uint64 { return c.newTo(v, w) })
	if i >= 0 && (v.sentTo.has(chunk) && v.lately.has(c.now, chunk) || s.need(i) < s.need(chunk)) {
		return i
	}
	return chunk
}

// scarcity is what a seed knows of how scarce each chunk is. It looks at all chunks for each that it gives, so what is the same for all
// is found out once: else that is most of what a seed's processor does in a crowd (docs/experiments/sessions.md).
type scarcity struct {
	given, demand           []uint32
	avail, withheld, coming []uint16
	waiting                 bool // who waits for a chunk counts as a copy
	copyWeight              int  // requests that a copy counts for
	off                     bool // the lab: all are as scarce
}

// scarcity is true until the seed gives or hears something.
func (c *Core) scarcity() scarcity {
	s := scarcity{given: c.given, demand: c.demand, avail: c.avail, withheld: c.withheld, coming: c.coming,
		waiting: len(c.members.of) <= c.p.SeedCrowd, copyWeight: 1, off: c.cfg.Without.LeastServed}
	if c.doubting() {
		s.copyWeight = doubtedWeight
	}
	return s
}

// need orders chunks at a seed: what nobody was given yet comes first, because nobody else can give it; then what
// fewest copies are left of, and most ask for. Copies are those given or those that readers who are there are known to
// have, whichever is less. Given alone says nothing of who left: the rarest chunk is what most wait for, each leaves with
// it, and the oftener it is given the commoner it seems, while a whole swarm lacks nothing else. Asking counts, because
// some have it and do not give it; less where the seed knows who does not, since those ask for the most.
func (s *scarcity) need(i int) int {
	switch {
	case s.off:
		return 0
	case s.given[i] == 0:
		return -1<<20 - int(s.demand[i])
	}
	return min(int(s.given[i]), s.copies(i))*s.copyWeight - int(s.demand[i])
}

// copies is how many readers have chunk i, but for those who are doubted. Among few readers, who ask the seed for most of what they
// lack, who waits for a chunk counts: it is as good as there, and two were given the same otherwise.
func (s *scarcity) copies(i int) int {
	n := int(s.avail[i] - s.withheld[i])
	if s.waiting {
		n += int(s.coming[i])
	}
	return n
}

// doubtedWeight is how many requests a copy counts for where a seed doubts some.
const doubtedWeight = 4

// leastServed returns the chunk of cand that was sent least often; of equals,
// one whose proof v has already.
func (c *Core) leastServed(v *neighbour, s *scarcity, cand func(w int) uint64) int {
	best, least, proves, ties := -1, 0, false, 0
	for w := range c.bits {
		for m := cand(w); m != 0; m &= m - 1 {
			i := w*64 + trailing(m)
			n := s.need(i)
			if best >= 0 && n > least {
				continue
			}
			may := v.mayProve(i)
			switch {
			case best < 0 || n < least || may && !proves:
				best, least, proves, ties = i, n, may, 1
			case may == proves:
				if ties++; c.rng.IntN(ties) == 0 {
					best = i
				}
			}
		}
	}
	return best
}

// mayProve reports whether v has the proof of chunk i, or needs it anyway.
func (v *neighbour) mayProve(i int) bool {
	meta := chunker.MetaOf(i)
	return v.proofs.has(meta) || v.sentTo[meta*chunker.ChunksPerMeta/64]&metaMask(meta) != 0
}
