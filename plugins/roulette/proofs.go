package roulette

import (
	"time"

	"nt/chunker"
)

const (
	// proofRetry is how long a proof that was asked for may take at most. Where answers come soon it is patientProof times as long as nearly
	// all of them take, and proofSoon at least.
	proofRetry   = 300 * time.Millisecond
	proofSoon    = 10 * time.Millisecond
	patientProof = 3
)

// proofWait is how long a proof that was asked for may take. A greeting asks for the proofs of all that may answer it, of which one comes. In a
// crowd on slow links the others come with other answers; on a fast link most of an object's blocks were there in ten milliseconds, and waited
// (docs/adr/0044).
func (c *Core) proofWait() time.Duration {
	wait := c.slowly(proofRetry)
	if c.lat.N >= fewAnswers {
		wait = min(wait, max(patientProof*c.lat.Usual(), proofSoon))
	}
	return wait
}

// chaseProofs asks again, and somebody else, for the proofs that held blocks wait for:
// nobody asks for a held chunk a second time, so a proof that does not come must not
// keep it for ever.
func (c *Core) chaseProofs() {
	if len(c.held) == 0 || !c.known || c.cfg.Without.Chase {
		return
	}
	retry := c.proofWait()
	for i := 0; i < len(c.held); i++ {
		meta := chunker.MetaOf(int(c.held[i].chunk))
		if at, ok := c.proofAsk[meta]; ok && c.now-at < retry {
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
	if len(c.held) == 0 || !c.known || c.cfg.Without.Chase {
		return 0, false
	}
	last := -1
	for _, h := range c.held {
		meta := chunker.MetaOf(int(h.chunk))
		if meta == last { // mostly all are of one
			continue
		}
		last = meta
		if t := c.proofAsk[meta]; !ok || t < at {
			at, ok = t, true
		}
	}
	return at + c.proofWait(), true
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

// prove sends the proof that must go before a chunk that answers q. Who asks knows which chunk it asked for: what it gets instead comes with its
// own proof, unless v shows that it has it, and the proof that was asked for goes with a later chunk that it belongs to. In a crowd a seed is not
// asked for proofs, and gives none unasked: readers have them from each other.
func (c *Core) prove(v *neighbour, q *want, chunk int) {
	meta := chunker.MetaOf(chunk)
	proven := v.shown.has(meta)
	switch {
	case q.swapped:
		if q.Proof {
			v.promised.add(chunker.MetaOf(int(q.instead)))
		}
		if crowd := len(c.members.of) > c.p.SeedCrowd; !v.needHeader && (proven || crowd && !q.Proof) {
			return
		}
	case !q.Proof && !v.promised.has(meta), q.blind && proven:
		return
	}
	c.sendProof(v, meta, v.needHeader, q.Proof && !q.blind && !q.swapped)
	v.needHeader = false
}

// sendProof sends the proof of a MetaChunk with what v asked for of it, once per neighbour, and the header if asked. What v knows of the
// path to the root, by the proofs that it shows it has, is left out: at 1 MiB the paths were 0.012 bytes per byte.
func (c *Core) sendProof(v *neighbour, meta int, header, again bool) {
	m := &Proof{Meta: uint32(meta)}
	if header {
		m.Header = &c.header
	}
	if !v.proofs.has(meta) || again {
		m.Hashes = c.hashes(v, meta, c.nearestProven(v, meta))
	}
	if m.Header != nil || m.Hashes != nil {
		c.send(v, m)
	}
}

// sendProofAlone answers a request for nothing but a proof, with all of its path.
func (c *Core) sendProofAlone(v *neighbour, meta int) {
	if b := c.hashes(v, meta, meta); b != nil {
		c.send(v, &Proof{Meta: uint32(meta), Hashes: b})
	}
}

// hashes returns the proof of a MetaChunk for v, who has that of another (the same: none), or nil if there is none here.
func (c *Core) hashes(v *neighbour, meta, other int) []byte {
	p, err := c.cfg.Content.MetaProof(meta)
	if err != nil {
		return nil
	}
	v.proofs.add(meta)
	v.promised.drop(meta)
	return p.Short(c.header, meta, other).AppendBinary(nil)
}

// nearestProven returns, of the MetaChunks of which v shows that it has the proof, one whose way to the root meets that of meta first; meta if
// there is none.
func (c *Core) nearestProven(v *neighbour, meta int) int {
	metas := c.header.NumMetaChunks()
	for span := 2; span < 2*metas; span *= 2 {
		first := meta &^ (span - 1)
		for other := first; other < min(first+span, metas); other++ {
			if other != meta && v.shown.has(other) {
				return other
			}
		}
	}
	return meta
}

// shows notes that v told of chunks of a word: it has their proofs, for what cannot be proved yet is not told. That a seed sent it a chunk shows
// nothing: of several seeds another may have been asked for the proof (docs/adr/0044).
func (v *neighbour) shows(word int, chunks uint64) {
	for meta := word * 64 / chunker.ChunksPerMeta; chunks != 0; meta, chunks = meta+1, chunks>>chunker.ChunksPerMeta {
		if chunks&(1<<chunker.ChunksPerMeta-1) != 0 {
			v.shown.add(meta)
		}
	}
}
