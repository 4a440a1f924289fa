package object

import (
	"fmt"
	"sync"

	"nt/chunker"
	"nt/chunker/store"
)

// Handle is one opening of an Object; it implements store.Object. Its Close
// waits for the calls that are under way through it, except Wait.
type Handle struct {
	*Object
	mu      sync.RWMutex
	release func() error // nil once closed
}

var (
	_ store.Object    = (*Handle)(nil)
	_ store.RunReader = (*Handle)(nil)
)

// NewHandle returns a handle whose Close calls release once.
func NewHandle(o *Object, release func() error) *Handle {
	return &Handle{Object: o, release: release}
}

// Close lets the store evict the object again.
func (h *Handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	release := h.release
	h.release = nil
	if release == nil {
		return nil
	}
	return release()
}

// enter begins a call; leave with h.mu.RUnlock if it returns nil.
func (h *Handle) enter() error {
	h.mu.RLock()
	if h.release == nil {
		h.mu.RUnlock()
		return fmt.Errorf("object %s: %w", h.id, store.ErrClosed)
	}
	return nil
}

// Begin is Object.Begin.
func (h *Handle) Begin(header chunker.Header) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.mu.RUnlock()
	return h.Object.Begin(header)
}

// AddProof is Object.AddProof.
func (h *Handle) AddProof(m int, p chunker.MetaProof) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.mu.RUnlock()
	return h.Object.AddProof(m, p)
}

// Put is Object.Put.
func (h *Handle) Put(i int, data []byte) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.mu.RUnlock()
	return h.Object.Put(i, data)
}

// MetaProof is Object.MetaProof.
func (h *Handle) MetaProof(m int) (chunker.MetaProof, error) {
	if err := h.enter(); err != nil {
		return chunker.MetaProof{}, err
	}
	defer h.mu.RUnlock()
	return h.Object.MetaProof(m)
}

// HasProof is Object.HasProof; a closed handle has none.
func (h *Handle) HasProof(m int) bool {
	if h.enter() != nil {
		return false
	}
	defer h.mu.RUnlock()
	return h.Object.HasProof(m)
}

// ReadChunk is Object.ReadChunk.
func (h *Handle) ReadChunk(i int, buf []byte) ([]byte, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.mu.RUnlock()
	return h.Object.ReadChunk(i, buf)
}

// ReadRun is Object.ReadRun.
func (h *Handle) ReadRun(i int, buf []byte) ([]byte, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.mu.RUnlock()
	return h.Object.ReadRun(i, buf)
}
