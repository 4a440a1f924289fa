package memory

import (
	"fmt"
	"slices"
	"sync"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/internal/object"
	"nt/transport"
)

// keeper keeps one object's chunks, each in its own slice. Proofs need no place
// of their own: the object's tree holds them.
type keeper struct {
	store   *Store
	charged int64 // bytes counted in store.used; guarded by store.mu

	mu      sync.RWMutex
	chunks  [][]byte
	tree    *chunker.Tree // whole, if the chunks came from a spool
	offered *spooled      // what the chunks came or will come from, or nil
}

var _ object.Keeper = (*keeper)(nil)

func (k *keeper) Charge(n int64) error {
	if err := k.store.grow(n); err != nil {
		return err
	}
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.charged += n
	return nil
}

func (k *keeper) Begin(h chunker.Header) (object.Kept, error) {
	if err := k.store.opts.CheckFits(h); err != nil {
		return object.Nothing, err
	}
	if err := k.Charge(store.Cost(h)); err != nil {
		return object.Nothing, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.chunks = make([][]byte, h.NumChunks())
	if k.offered == nil {
		return object.Nothing, nil
	}
	for i := range k.chunks {
		k.chunks[i] = k.offered.chunk(h, i)
	}
	k.takeCharge()
	return object.All, nil
}

// offer holds a spool ready for the coming Begin to take over.
func (k *keeper) offer(b *spooled, t *chunker.Tree) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.chunks == nil && k.offered == nil {
		k.offered, k.tree = b, t
	}
}

// took reports whether Begin took over the spool; if not, the offer ends.
func (k *keeper) took(b *spooled) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.offered != b {
		return false
	}
	if k.chunks == nil {
		k.offered, k.tree = nil, nil
	}
	return k.chunks != nil
}

// takeCharge moves what the spool was charged to the object.
func (k *keeper) takeCharge() {
	b := k.offered
	b.mu.Lock()
	defer b.mu.Unlock()
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.charged += b.charged
	b.charged = 0
}

func (k *keeper) Recovered(int64) {}

func (k *keeper) WriteChunk(i int, data []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.chunks[i] = slices.Clone(data)
	return nil
}

func (k *keeper) ReadChunks(i int, buf []byte) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for ; len(buf) > 0 && i < len(k.chunks) && k.chunks[i] != nil; i++ {
		buf = buf[copy(buf, k.chunks[i]):]
	}
	if len(buf) > 0 {
		return transport.ErrNotFound
	}
	return nil
}

func (k *keeper) SaveProof(int, chunker.MetaProof) error { return nil }

func (k *keeper) LoadProof(m int) (chunker.MetaProof, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.tree == nil {
		return chunker.MetaProof{}, fmt.Errorf("MetaChunk %d: %w", m, chunker.ErrNoProof)
	}
	return k.tree.MetaProof(m)
}

func (k *keeper) Finish() error { return nil }

func (k *keeper) Reopen() error { return nil }
