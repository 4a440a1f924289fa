package memory

import (
	"context"
	"io"
	"sync"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/internal/spool"
)

// blockSize is the unit in which a spool grows, in bytes: a multiple of every
// chunk size, so that no chunk lies in two blocks and Commit copies nothing.
const blockSize = chunker.MaxChunkSize

// spooled is the bytes of one spool.
type spooled struct {
	store *Store

	mu      sync.RWMutex
	blocks  [][]byte // all but the last have blockSize bytes
	size    int64
	charged int64 // bytes counted in store.used
}

// Spool opens a spool.
func (s *Store) Spool(ctx context.Context) (store.Spool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	return spool.New(ctx, &spooled{store: s}), nil
}

func (b *spooled) Append(p []byte) error {
	if err := b.store.grow(int64(len(p))); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.charged += int64(len(p))
	b.size += int64(len(p))
	for len(p) > 0 {
		last := len(b.blocks) - 1
		if last < 0 || len(b.blocks[last]) == blockSize {
			b.blocks = append(b.blocks, nil)
			last++
		}
		n := min(len(p), blockSize-len(b.blocks[last]))
		b.blocks[last] = append(b.blocks[last], p[:n]...)
		p = p[n:]
	}
	return nil
}

func (b *spooled) ReadAt(p []byte, off int64) (n int, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for n < len(p) && off < b.size {
		m := copy(p[n:], b.blocks[off/blockSize][off%blockSize:])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// chunk returns the bytes of chunk i, not copied.
func (b *spooled) chunk(h chunker.Header, i int) []byte {
	off := h.ChunkOffset(i)
	start := off % blockSize
	end := start + int64(h.ChunkLen(i))
	return b.blocks[off/blockSize][start:end:end]
}

// Keep hands the blocks over to the object, or copies them into one that
// somebody has begun already.
func (b *spooled) Keep(ctx context.Context, t *chunker.Tree) error {
	h := t.Header()
	if err := b.store.opts.CheckFits(h); err != nil {
		return err
	}
	obj, k, err := b.store.open(h.ID(), true)
	if err != nil {
		return err
	}
	defer obj.Close()
	k.offer(b, t)
	err = obj.Begin(h)
	if took := k.took(b); took || err != nil {
		return err
	}
	if err := obj.Fill(ctx, t, b); err != nil {
		return err
	}
	return b.Drop()
}

// Drop takes the bytes off the budget; the collector frees them after the last reader.
func (b *spooled) Drop() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store.shrink(b.charged)
	b.charged = 0
	return nil
}

func (b *spooled) Close() error { return nil }
