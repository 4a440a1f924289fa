package roulette

import (
	"errors"
	"time"

	"nt/chunker"
)

// partial is a chunk of several blocks that is being put together.
type partial struct {
	buf   []byte
	got   uint64 // blocks that came; a chunk has at most 64
	from  NeighbourID
	mixed bool // from more than one neighbour: nobody to blame
}

// heldBlock is a run of blocks that waits for the header or for the proof of its MetaChunk.
type heldBlock struct {
	from  NeighbourID
	chunk uint32
	block uint8
	data  []byte
	// reserved says that its chunk is not asked for meanwhile.
	reserved bool
}

// maxHeld bounds the held runs of blocks and maxHeldBytes their content; more are dropped
// and asked for again.
const (
	maxHeld      = 1024 // of a block each that is all of the content
	maxHeldBytes = 1 << 20
)

func (c *Core) blocksOf(i int) int {
	return blocksIn(c.header.ChunkLen(i))
}

// blocksIn is how many blocks n bytes of a chunk are.
func blocksIn(n int) int { return (n + BlockSize - 1) / BlockSize }

// isRun reports whether n bytes from a block on are whole blocks of chunk i.
func (c *Core) isRun(i int, block uint8, n int) bool {
	end, whole := int(block)*BlockSize+n, c.header.ChunkLen(i)
	return end == whole || end < whole && n%BlockSize == 0
}

// takeBlock takes a run of blocks that was asked for.
func (c *Core) takeBlock(v *neighbour, chunk uint32, block uint8, data []byte) {
	i := int(chunk)
	if !c.known {
		c.hold(v, chunk, block, data)
		return
	}
	if i >= c.n || !c.isRun(i, block, len(data)) {
		c.ban(v, ErrDishonest)
		return
	}
	if c.bits.has(i) {
		c.stats.Duplicate++
		return
	}
	if meta := chunker.MetaOf(i); !c.cfg.Content.HasProof(meta) {
		c.hold(v, chunk, block, data)
		c.wantProof(v, meta)
		return
	}
	p := c.partials[i]
	if p == nil && len(data) == c.header.ChunkLen(i) {
		c.put(v, i, data, false)
		return
	}
	if p == nil {
		p = &partial{buf: make([]byte, c.header.ChunkLen(i)), from: v.id}
		c.partials[i] = p
	}
	run := (uint64(1)<<blocksIn(len(data)) - 1) << block
	if p.got&run == run {
		c.stats.Duplicate++
		return
	}
	p.mixed = p.mixed || p.from != v.id
	p.got |= run
	copy(p.buf[int(block)*BlockSize:], data)
	if p.got == 1<<c.blocksOf(i)-1 {
		delete(c.partials, i)
		c.put(v, i, p.buf, p.mixed)
	}
}

// put gives a chunk to the verified door.
func (c *Core) put(v *neighbour, i int, data []byte, mixed bool) {
	switch err := c.cfg.Content.Put(i, data); {
	case err == nil:
		c.stored(v, i)
	case !isFault(err):
		c.fail(err)
	default:
		c.stats.Bad++
		if !mixed {
			c.ban(v, ErrPoison)
		}
	}
}

// stored notes a new chunk that v delivered.
func (c *Core) stored(v *neighbour, i int) {
	v.proved++
	c.emit(Stored{i, v.id})
	c.took(v, i)
}

// took notes a new chunk, and that nobody but v, who delivered it, need send it any more.
func (c *Core) took(v *neighbour, i int) {
	c.have.Add(uint32(i))
	c.taken = append(c.taken, uint32(i))
	c.bits.add(i)
	c.free.drop(i)
	c.missing--
	c.progress, c.tookAt, c.rescues = c.now, c.now, 0
	for _, w := range c.neighbours {
		if w != v && c.reserved[i] > 0 {
			c.cancel(w, i)
		}
	}
	if c.missing == 0 {
		c.done = true
		c.emit(Complete{})
	}
}

// Arrived says that the Content holds chunk i, which came by another way than from
// neighbours: it is asked of nobody any more, and offered to all.
func (c *Core) Arrived(now time.Duration, i int) {
	c.now = now
	if !c.known || i < 0 || i >= c.n || c.bits.has(i) || c.left || c.failed {
		return
	}
	delete(c.partials, i)
	c.took(nil, i)
	c.step()
}

func (c *Core) hold(v *neighbour, chunk uint32, block uint8, data []byte) {
	bytes := len(data)
	for i := range c.held {
		bytes += len(c.held[i].data)
	}
	if len(c.held) < maxHeld && bytes <= maxHeldBytes {
		if c.known {
			c.reserved[chunk]++ // it is not asked for again while it waits
			c.free.drop(int(chunk))
		}
		c.held = append(c.held, heldBlock{v.id, chunk, block, append([]byte(nil), data...), c.known})
	}
}

// retryHeld takes the held blocks again after a header or a proof came.
func (c *Core) retryHeld() {
	held := c.held
	c.held = nil
	for _, h := range held {
		if h.reserved && !c.cfg.Content.HasProof(chunker.MetaOf(int(h.chunk))) { // the proof was another's
			c.held = append(c.held, h)
			continue
		}
		v := c.byID[h.from]
		if v == nil { // gone, but its bytes can still be proved
			v = &neighbour{id: h.from}
		}
		c.release(h)
		c.takeBlock(v, h.chunk, h.block, h.data)
	}
}

// wantProof asks v for the proof of a MetaChunk, unless somebody was just asked.
func (c *Core) wantProof(v *neighbour, meta int) {
	if at, ok := c.proofAsk[meta]; ok && c.now-at < c.proofWait() {
		return
	}
	if v.seed || c.byID[v.id] == nil {
		v = c.prover(v, meta)
	}
	if v == nil {
		return
	}
	c.proofAsk[meta] = c.now
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
// and notes that somebody is now.
func (c *Core) lacksProof(i int) bool {
	meta := chunker.MetaOf(i)
	if c.cfg.Content.HasProof(meta) {
		return false
	}
	if at, ok := c.proofAsk[meta]; ok && c.now-at < c.proofWait() {
		return false
	}
	c.proofAsk[meta] = c.now
	return true
}

// receiveProof takes a header and the hashes of a MetaChunk.
func (c *Core) receiveProof(v *neighbour, m *Proof) {
	if m.Header != nil && !c.adoptHeader(v, *m.Header) {
		return
	}
	if !c.known || len(m.Hashes) == 0 {
		return
	}
	p, err := c.header.ParseShortProof(int(m.Meta), m.Hashes)
	if err == nil {
		err = c.cfg.Content.AddProof(int(m.Meta), p)
	}
	switch {
	case err == nil:
		c.retryHeld()
	case errors.Is(err, chunker.ErrNoProof): // shortened by what v takes us to know: asked for alone it comes whole
	case isFault(err):
		c.ban(v, ErrPoison)
	default:
		c.fail(err)
	}
}

// adoptHeader takes the object's header; a forged one bans its sender.
func (c *Core) adoptHeader(v *neighbour, h chunker.Header) bool {
	if c.known {
		return true
	}
	if h.ID() != c.cfg.Object {
		c.ban(v, ErrPoison)
		return false
	}
	if err := c.cfg.Content.Begin(h); err != nil {
		c.fail(err)
		return false
	}
	c.learnHeader(h)
	if c.done {
		c.emit(Complete{})
	}
	c.retryHeld()
	return true
}
