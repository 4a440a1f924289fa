package object

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/chunker/store"
)

// MetaProof returns the proof of a MetaChunk, or wraps chunker.ErrNoProof.
func (o *Object) MetaProof(m int) (chunker.MetaProof, error) {
	if err := o.needTree(m); err != nil {
		return chunker.MetaProof{}, err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.tree.MetaProof(m)
}

// ReadChunk appends chunk i to buf[:0], hashed on this very read. A chunk that
// fails is dropped and gives store.ErrCorrupt.
func (o *Object) ReadChunk(i int, buf []byte) ([]byte, error) {
	if !o.contains(i) {
		return nil, o.errNoChunk(i)
	}
	leaf, err := o.leaf(i)
	if errors.Is(err, chunker.ErrNoProof) { // needTree has dropped the MetaChunk
		return nil, fmt.Errorf("chunk %d of %s: its proof is damaged: %w", i, o.id, store.ErrCorrupt)
	} else if err != nil {
		return nil, err
	}
	n := o.header.ChunkLen(i)
	buf = slices.Grow(buf[:0], n)[:n]
	err = o.keeper.ReadChunks(i, buf)
	if err == nil && chunker.LeafHash(buf) == leaf {
		return buf, nil
	}
	if err = errors.Join(err, o.drop(i, 1)); err != nil {
		return nil, fmt.Errorf("chunk %d of %s: %w: %w", i, o.id, store.ErrCorrupt, err)
	}
	return nil, fmt.Errorf("chunk %d of %s: %w", i, o.id, store.ErrCorrupt)
}

// ReadRun appends chunk i and those after it that are there to buf[:0], up to the
// end of its MetaChunk and 64 KiB, each hashed on this very read.
func (o *Object) ReadRun(i int, buf []byte) ([]byte, error) {
	n := o.run(i)
	if n <= 1 {
		return o.ReadChunk(i, buf)
	}
	if _, err := o.leaf(i); err != nil {
		return o.ReadChunk(i, buf) // which says what is wrong
	}
	cs := o.header.ChunkSize()
	size := (n-1)*cs + o.header.ChunkLen(i+n-1)
	buf = slices.Grow(buf[:0], size)[:size]
	if o.keeper.ReadChunks(i, buf) != nil {
		return o.ReadChunk(i, buf) // one damaged chunk must not hide the others
	}
	for j := range n {
		leaf, err := o.leaf(i + j)
		if err != nil || chunker.LeafHash(buf[j*cs:min((j+1)*cs, size)]) != leaf {
			if j == 0 {
				return o.ReadChunk(i, buf)
			}
			return buf[:j*cs], nil
		}
	}
	return buf, nil
}

// run returns how many chunks from i on are there, within ReadRun's limits.
func (o *Object) run(i int) (n int) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if !o.begun || i < 0 {
		return 0
	}
	most := min(chunker.ChunksPerMeta-i%chunker.ChunksPerMeta, chunker.MaxChunkSize/o.header.ChunkSize(), o.header.NumChunks()-i)
	for n < most && o.have.Contains(uint32(i+n)) {
		n++
	}
	return n
}

// leaf returns the hash chunk i must have, or wraps chunker.ErrNoProof.
func (o *Object) leaf(i int) (chunker.Hash, error) {
	if i < 0 {
		return chunker.Hash{}, fmt.Errorf("chunk %d of %s: %w", i, o.id, chunker.ErrNoProof)
	}
	if err := o.needTree(chunker.MetaOf(i)); err != nil {
		return chunker.Hash{}, err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	leaf, ok := o.tree.Leaf(i)
	if !ok {
		return chunker.Hash{}, fmt.Errorf("chunk %d of %s: %w", i, o.id, chunker.ErrNoProof)
	}
	return leaf, nil
}

// needTree makes sure the proof of MetaChunk m is in the tree. A finished object
// is opened without reading its proofs, so this is where they are read and
// checked; a damaged one takes its chunks with it.
func (o *Object) needTree(m int) error {
	lazy, err := o.treeHas(m)
	if err == nil || !lazy {
		return err
	}
	o.saving.Lock()
	if _, err = o.treeHas(m); err == nil {
		o.saving.Unlock()
		return nil
	}
	p, loadErr := o.keeper.LoadProof(m)
	if loadErr == nil {
		_, _, loadErr = o.checkProof(m, p)
	}
	o.saving.Unlock()
	if loadErr == nil {
		return nil
	}
	first := m * chunker.ChunksPerMeta
	return errors.Join(err, o.drop(first, o.header.MetaLeaves(m)))
}

// treeHas returns nil if the proof is in the tree, else ErrNoProof and whether
// the Keeper may still have it.
func (o *Object) treeHas(m int) (lazy bool, err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.begun && o.tree.HasMeta(m) {
		return false, nil
	}
	inside := o.begun && m >= 0 && m < o.header.NumMetaChunks()
	return inside && o.kept == All, fmt.Errorf("MetaChunk %d of %s: %w", m, o.id, chunker.ErrNoProof)
}

// drop quarantines n chunks from i on: they no longer count as there, and the
// object not as finished, so that they can be fetched again.
func (o *Object) drop(i, n int) error {
	o.saving.Lock()
	defer o.saving.Unlock()
	bytes, wasComplete := o.forget(i, n)
	err := o.keeper.Charge(-bytes)
	if wasComplete {
		err = errors.Join(err, o.keeper.Reopen())
	}
	if err != nil {
		return fmt.Errorf("marking %s as incomplete: %w", o.id, err)
	}
	return nil
}

// forget reports how many bytes it took out of have, and whether that ended the
// object's being complete.
func (o *Object) forget(i, n int) (bytes int64, wasComplete bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for j := i; j < i+n; j++ {
		if o.have.Contains(uint32(j)) {
			bytes += int64(o.header.ChunkLen(j))
		}
	}
	if bytes == 0 {
		return 0, false
	}
	o.have.Remove(nois.Interval{Start: uint32(i), End: uint32(i + n)})
	wasComplete, o.complete, o.bytes = o.complete, false, o.bytes-bytes
	o.wake()
	o.log.Warn("stored chunks are damaged and were dropped", "object", o.id.String(), "chunk", i, "bytes", bytes)
	return bytes, wasComplete
}

// Wait blocks until chunk i is there.
func (o *Object) Wait(ctx context.Context, i int) error {
	for {
		if o.contains(i) {
			return nil
		}
		changed := o.Changed()
		if h, begun := o.Header(); i < 0 || begun && i >= h.NumChunks() {
			return o.errNoChunk(i)
		}
		if o.contains(i) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
