package object

import (
	"errors"
	"fmt"

	"nt/chunker"
	"nt/chunker/nois"
)

// Begin accepts the header that the object's name stands for, and takes over
// what the Keeper already has of the object, after checking it.
func (o *Object) Begin(h chunker.Header) error {
	if h.ID() != o.id {
		return fmt.Errorf("%w: it belongs to object %s, not %s", chunker.ErrBadHeader, h.ID(), o.id)
	}
	o.saving.Lock()
	defer o.saving.Unlock()
	if _, begun := o.Header(); begun {
		return nil
	}
	kept, err := o.keeper.Begin(h)
	if err != nil {
		return fmt.Errorf("beginning object %s: %w", o.id, err)
	}
	r := recovered{tree: chunker.NewTree(h)}
	switch kept {
	case Some:
		r.recover(o.keeper)
	case All:
		r.have.AddRange(nois.Interval{Start: 0, End: uint32(h.NumChunks())})
		r.bytes = h.Size
	}
	o.keeper.Recovered(r.bytes)
	o.mu.Lock()
	o.tree, o.header, o.begun, o.kept = r.tree, h, true, kept
	o.have, o.bytes, o.complete = r.have, r.bytes, kept == All
	o.wake()
	o.mu.Unlock()
	return o.finish()
}

// recovered is what passes the check of a Keeper's Some.
type recovered struct {
	tree  *chunker.Tree
	have  nois.Set
	bytes int64
}

func (r *recovered) recover(k Keeper) {
	h := r.tree.Header()
	buf := make([]byte, h.ChunkSize())
	for m := range h.NumMetaChunks() {
		p, err := k.LoadProof(m)
		if err != nil || r.tree.AddProof(m, p) != nil {
			continue
		}
		first := m * chunker.ChunksPerMeta
		for i := first; i < first+h.MetaLeaves(m); i++ {
			b := buf[:h.ChunkLen(i)]
			if k.ReadChunks(i, b) == nil && r.tree.VerifyChunk(i, b) == nil {
				r.have.Add(uint32(i))
				r.bytes += int64(len(b))
			}
		}
	}
}

// AddProof accepts the proof of MetaChunk m if it leads to the header's root.
func (o *Object) AddProof(m int, p chunker.MetaProof) error {
	o.saving.Lock()
	defer o.saving.Unlock()
	if _, begun := o.Header(); !begun {
		return fmt.Errorf("proof before the header: %w", chunker.ErrBadProof)
	}
	whole, known, err := o.checkProof(m, p)
	if err != nil || known && !o.unsaved[m] {
		return err
	}
	return o.saveProof(m, whole)
}

// checkProof adds a proof to the tree, and returns it with all of its path.
func (o *Object) checkProof(m int, p chunker.MetaProof) (whole chunker.MetaProof, known bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known = o.tree.HasMeta(m)
	if err := o.tree.AddProof(m, p); err != nil {
		return whole, known, err
	}
	whole, err = o.tree.MetaProof(m)
	return whole, known, err
}

// saveProof keeps a proof, or remembers that it has yet to be kept: an object
// must not be finished without all of them. The caller holds saving.
func (o *Object) saveProof(m int, p chunker.MetaProof) error {
	if err := o.keeper.SaveProof(m, p); err != nil {
		if o.unsaved == nil {
			o.unsaved = make(map[int]bool)
		}
		o.unsaved[m] = true
		return fmt.Errorf("saving the proof of MetaChunk %d of %s: %w", m, o.id, err)
	}
	delete(o.unsaved, m)
	return nil
}

// Put accepts data if it is chunk i.
func (o *Object) Put(i int, data []byte) error {
	if err := o.check(i, data); err != nil {
		return err
	}
	if !o.contains(i) {
		if err := o.keep(i, data); err != nil {
			return fmt.Errorf("keeping chunk %d of %s: %w", i, o.id, err)
		}
	}
	if !o.full() {
		return nil
	}
	o.saving.Lock()
	defer o.saving.Unlock()
	return o.finish()
}

// check is the door: data is chunk i or it does not get in.
func (o *Object) check(i int, data []byte) error {
	leaf, err := o.leaf(i)
	if err != nil {
		return err
	}
	if len(data) != o.header.ChunkLen(i) || chunker.LeafHash(data) != leaf {
		return fmt.Errorf("chunk %d of %s: %w", i, o.id, chunker.ErrBadChunk)
	}
	return nil
}

// keep charges and writes a proved chunk. When two do so at once, one of them
// is charged.
func (o *Object) keep(i int, data []byte) error {
	n := int64(len(data))
	if err := o.keeper.Charge(n); err != nil {
		return err
	}
	err := o.keeper.WriteChunk(i, data)
	if err == nil && o.add(i, n) {
		return nil
	}
	return errors.Join(err, o.keeper.Charge(-n))
}

func (o *Object) add(i int, n int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.have.Add(uint32(i)) {
		return false
	}
	o.bytes += n
	o.wake()
	return true
}

// full reports whether every chunk is there and the object not yet finished.
func (o *Object) full() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.begun && !o.complete && o.have.Count() == o.header.NumChunks()
}

// finish makes a full object complete. The caller holds saving.
func (o *Object) finish() error {
	if !o.full() {
		return nil
	}
	for m := range o.unsaved {
		p, err := o.tree.MetaProof(m)
		if err == nil {
			err = o.saveProof(m, p)
		}
		if err != nil {
			return err
		}
	}
	if err := o.keeper.Finish(); err != nil {
		return fmt.Errorf("completing %s: %w", o.id, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.complete = true
	o.wake()
	return nil
}
