package roulette

import (
	"math/bits"
	"time"

	"nt/chunker"
)

// A swap saves a newcomer a round trip before its uplink has work: who answers
// its HELLO names a MetaChunk, and gets a chunk of it as soon as the newcomer has
// one. Until then it asks nobody else for chunks of that MetaChunk, else
// half of the swaps would bring what was asked for elsewhere in the meantime.

const (
	lendTime    = 300 * time.Millisecond // how long a MetaChunk is kept for one swap
	swapTime    = 200 * time.Millisecond // how long after being asked a swap may be sent
	lendMissing = 24                     // chunks that must be missing for a swap
)

// lend chooses the MetaChunk that v is to give a chunk of, plus 1; 0 for none.
func (c *Core) lend(v *neighbour) uint32 {
	if !c.p.Swap || c.missing < lendMissing || v.lent > 0 {
		return 0
	}
	best, most := -1, 1
	for meta := range c.header.NumMetaChunks() {
		if n := bits.OnesCount64(c.free[meta/4] & metaMask(meta)); n > most && c.lent[meta] == 0 {
			best, most = meta, n
		}
	}
	if best < 0 {
		return 0
	}
	c.lent[best]++
	c.free[best/4] &^= metaMask(best)
	v.lent, v.lentTill = uint32(best)+1, c.now+lendTime
	v.old = append(v.old, asked{chunk: -1, blind: true, left: 1, at: c.now})
	return v.lent
}

// metaMask is where the 16 chunks of a MetaChunk are in their word of a bitset.
func metaMask(meta int) uint64 {
	return uint64(1<<chunker.ChunksPerMeta-1) << (meta * chunker.ChunksPerMeta % 64)
}

// endLoan makes the MetaChunk kept for v's swap free again.
func (c *Core) endLoan(v *neighbour) {
	if v.lent == 0 {
		return
	}
	meta := int(v.lent) - 1
	v.lent = 0
	c.lent[meta]--
	for i := meta * chunker.ChunksPerMeta; i < min((meta+1)*chunker.ChunksPerMeta, c.n); i++ {
		c.refree(i)
	}
	c.barrenOff()
}

// refree makes chunk i free if it is missing, asked of nobody and not kept for a swap.
func (c *Core) refree(i int) {
	if c.reserved[i] == 0 && !c.bits.has(i) && c.lent[chunker.MetaOf(i)] == 0 {
		c.free.add(i)
	}
}

// swapNow queues a block for every neighbour that was promised one we now have.
func (c *Core) swapNow() {
	for _, v := range c.neighbours {
		if v.swap == 0 {
			continue
		}
		if int(v.swap) > c.header.NumMetaChunks() || c.now-v.swapAt > swapTime {
			v.swap = 0
			continue
		}
		meta := int(v.swap) - 1
		mask := metaMask(meta) & c.newTo(v, meta/4)
		if mask == 0 {
			continue
		}
		v.swap = 0
		i := meta/4*64 + trailing(mask)
		v.queued = append(v.queued, want{Ask: Ask{Chunk: uint32(i)}, blind: true, started: true, till: v.swapAt + swapTime, at: c.now})
	}
}
