package roulette

import (
	"time"

	"nt/chunker"
)

// proofAsked is who was asked for a proof, and when.
type proofAsked struct {
	of NeighbourID
	at time.Duration
}

// proofRetry is how long a proof that was asked for may take.
const proofRetry = 300 * time.Millisecond

// chaseProofs asks again, and somebody else, for the proofs that held blocks wait for:
// nobody asks for a held chunk a second time, so a proof that does not come must not
// keep it for ever.
func (c *Core) chaseProofs() {
	if !c.known || c.cfg.Without.Chase {
		return
	}
	for i := 0; i < len(c.held); i++ {
		meta := chunker.MetaOf(int(c.held[i].chunk))
		if c.proofIsAsked(meta) {
			continue
		}
		if v := c.anyProver(meta); v != nil {
			c.wantProof(v, meta)
		} else {
			c.unhold(meta)
			i = -1 // the list is another now
		}
	}
}

// proofsAt is when chaseProofs has something to do; false if never.
func (c *Core) proofsAt() (at time.Duration, ok bool) {
	for _, h := range c.held {
		if t := c.proofAsk[chunker.MetaOf(int(h.chunk))].at + proofRetry; !ok || t < at {
			at, ok = t, true
		}
	}
	return at, ok && c.known && !c.cfg.Without.Chase
}

// anyProver returns a random neighbour that holds a chunk of the MetaChunk, or nil.
func (c *Core) anyProver(meta int) *neighbour {
	mask := metaMask(meta)
	var some *neighbour
	n := 0
	for _, v := range c.neighbours {
		if !v.dialling && v.have[meta*chunker.ChunksPerMeta/64]&mask != 0 {
			if n++; c.rng.IntN(n) == 0 {
				some = v
			}
		}
	}
	return some
}

// unhold gives up the held blocks of a MetaChunk that nobody can prove; their chunks
// are free to be asked for.
func (c *Core) unhold(meta int) {
	kept := c.held[:0]
	for _, h := range c.held {
		if chunker.MetaOf(int(h.chunk)) != meta {
			kept = append(kept, h)
			continue
		}
		c.release(h)
	}
	c.held = kept
}

// release makes the chunk of a block that is no longer held free again.
func (c *Core) release(h heldBlock) {
	if h.reserved {
		c.reserved[h.chunk]--
		c.refree(int(h.chunk))
	}
}

// wantProof asks v for the proof of a MetaChunk, unless somebody was just asked.
func (c *Core) wantProof(v *neighbour, meta int) {
	if c.proofIsAsked(meta) {
		return
	}
	if v.seed || c.byID[v.id] == nil {
		v = c.prover(v, meta)
	}
	if v == nil {
		return
	}
	c.proofAsk[meta] = proofAsked{v.id, c.now}
	c.send(v, &Request{Asks: []Ask{{Chunk: uint32(meta * chunker.ChunksPerMeta), ProofOnly: true}}})
}

// prover returns a reader that holds a chunk of the MetaChunk, and so its proof,
// rather than the seed v, which is asked by everybody.
func (c *Core) prover(v *neighbour, meta int) *neighbour {
	mask := uint64(1<<chunker.ChunksPerMeta-1) << (meta * chunker.ChunksPerMeta % 64)
	var best *neighbour
	for _, w := range c.neighbours {
		if w.seed || w.delivered == 0 || w.have[meta*chunker.ChunksPerMeta/64]&mask == 0 {
			continue
		}
		if best == nil || c.expect(w) < c.expect(best) {
			best = w
		}
	}
	if best == nil && c.byID[v.id] != nil {
		return v
	}
	return best
}

// lacksProof reports whether the proof of chunk i is missing and nobody was asked,
// and notes that v is now, together with a chunk.
func (c *Core) lacksProof(v *neighbour, i int) bool {
	meta := chunker.MetaOf(i)
	if c.cfg.Content.HasProof(meta) || c.proofIsAsked(meta) {
		return false
	}
	c.proofAsk[meta] = proofAsked{v.id, c.now}
	return true
}

// proofIsAsked reports whether somebody was asked for the proof of a MetaChunk not long ago.
func (c *Core) proofIsAsked(meta int) bool {
	a, ok := c.proofAsk[meta]
	return ok && c.now-a.at < proofRetry
}

// noMoreProofs notes that v sends no proof that it was asked for, because it has nothing. A greeting asks for the proof of whatever
// chunk answers it, so that nobody else is asked for those of a whole class of MetaChunks meanwhile.
func (c *Core) noMoreProofs(v *neighbour) {
	for meta, a := range c.proofAsk {
		if a.of == v.id {
			delete(c.proofAsk, meta)
		}
	}
}
