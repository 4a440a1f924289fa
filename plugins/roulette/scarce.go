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

// substitute returns a less-served chunk than the one asked for, if v lacks one (R1). To the only
// reader all are worth the same.
func (c *Core) substitute(v *neighbour, chunk int) int {
	if len(c.neighbours) == 1 {
		return chunk
	}
	i := c.leastServed(v, func(w int) uint64 { return c.newTo(v, w) })
	if i >= 0 && c.need(i) < c.need(chunk) {
		return i
	}
	return chunk
}

// need orders chunks at a seed: what nobody was given yet comes first, because nobody else can give it; then what
// fewest copies are left of, and most ask for. Copies are those given or those that readers who are there are known to
// have, whichever is less. Given alone says nothing of who left: the rarest chunk is what most wait for, each leaves with
// it, and the oftener it is given the commoner it seems, while a whole swarm lacks nothing else. Asking counts, because
// some have it and do not give it; less where the seed knows who does not, since those ask for the most.
func (c *Core) need(i int) int {
	switch {
	case c.cfg.Without.LeastServed:
		return 0
	case c.given[i] == 0:
		return -1<<20 - int(c.demand[i])
	}
	copies := min(int(c.given[i]), c.copies(i))
	if c.doubting() {
		copies *= copyWeight
	}
	return copies - int(c.demand[i])
}

// copies is how many readers have chunk i, at a seed, but for those who are doubted. Among few readers, who ask it for most of what they
// lack, who waits for a chunk counts: it is as good as there, and two were given the same otherwise.
func (c *Core) copies(i int) int {
	n := int(c.avail[i] - c.withheld[i])
	if len(c.members.of) <= c.p.SeedCrowd {
		n += int(c.coming[i])
	}
	return n
}

// copyWeight is how many requests a copy counts for where a seed doubts some.
const copyWeight = 4

// leastServed returns the chunk of cand that was sent least often; of equals,
// one whose proof v has already.
func (c *Core) leastServed(v *neighbour, cand func(w int) uint64) int {
	best, ties := -1, 0
	for w := range c.bits {
		for m := cand(w); m != 0; m &= m - 1 {
			i := w*64 + trailing(m)
			switch {
			case best < 0 || c.need(i) < c.need(best):
				best, ties = i, 1
			case c.need(i) > c.need(best):
			case v.mayProve(i) && !v.mayProve(best):
				best, ties = i, 1
			case v.mayProve(i) == v.mayProve(best):
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
