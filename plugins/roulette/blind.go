package roulette

import "nt/chunker"

// Blind requests: what answers one, and the classes that keep the first answers from colliding (R2).

// blindChoice chooses the rarest chunk of a blind request's class that v lacks,
// or the rarest of all if the class has none.
func (c *Core) blindChoice(v *neighbour, q *want) int {
	if q.started {
		return int(q.Chunk)
	}
	inClass := c.classOf(int(q.class), int(q.classes))
	pick := func(within bitset) int {
		cand := func(w int) uint64 {
			m := c.newTo(v, w)
			if within != nil {
				m &= within[w]
			}
			return m
		}
		if c.cfg.Seed {
			s := c.scarcity()
			return c.leastServed(v, &s, cand)
		}
		return rarest(len(c.bits), cand, c.rarity(), c.rng)
	}
	if i := pick(inClass); i >= 0 {
		return i
	}
	return pick(nil)
}

// classOf returns the chunks of class j of k: whole MetaChunks as far as there are enough,
// because then each of k first answers comes with another proof; MetaChunks that several classes
// share are dealt out chunk by chunk.
func (c *Core) classOf(j, k int) bitset {
	in := newBitset(c.n)
	metas := c.header.NumMetaChunks()
	if k = max(k, 1); k <= metas || metas == 0 {
		lo, hi := classBounds(j, k, metas)
		addRange(lo*chunker.ChunksPerMeta, min(hi*chunker.ChunksPerMeta, c.n), func(w int, m uint64) { in[w] |= m })
		return in
	}
	meta, part, parts := sharedMeta(j, k, metas)
	for i := meta*chunker.ChunksPerMeta + part; i < min((meta+1)*chunker.ChunksPerMeta, c.n); i += parts {
		in.add(i)
	}
	return in
}

// classBounds returns the range of things that class j of k has when n things are dealt out.
func classBounds(j, k, n int) (lo, hi int) { return (j*n + k - 1) / k, ((j+1)*n + k - 1) / k }

// sharedMeta returns the MetaChunk of class j of k when there are more classes than
// MetaChunks, and which part of how many of it.
func sharedMeta(j, k, metas int) (meta, part, parts int) {
	meta = j * metas / k
	first, end := classBounds(meta, metas, k)
	return meta, j - first, end - first
}
