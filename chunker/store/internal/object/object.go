// Package object owns what every store's objects have in common: the one
// verified door in, the hash on the way out, the set of chunks that are there,
// dropping damaged ones, and waiting for missing ones.
//
// It knows nothing of where bytes are kept (a Keeper does), of budgets,
// eviction, locks between processes or other objects.
package object

import (
	"fmt"
	"log/slog"
	"sync"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// Keeper keeps the bytes of one object. Its methods may be called at the same
// time for different chunks, WriteChunk also for the same chunk with the same
// bytes; Begin, SaveProof, Finish and Reopen are called one at a time.
type Keeper interface {
	// Begin makes a place for the object. Kept may report what is there already.
	Begin(h chunker.Header) (Kept, error)
	// Charge makes room for n more bytes of content, or gives them up if n is
	// negative; that never fails.
	Charge(n int64) error
	// Recovered tells how many bytes of what Begin found count.
	Recovered(n int64)
	// WriteChunk keeps proved bytes of a chunk, for which there is room.
	WriteChunk(i int, data []byte) error
	// ReadChunks fills buf with what is kept from chunk i on, unproved: one chunk
	// or several that are all there.
	ReadChunks(i int, buf []byte) error
	// SaveProof keeps a proof that was checked.
	SaveProof(m int, p chunker.MetaProof) error
	// LoadProof returns what SaveProof kept, unproved.
	LoadProof(m int) (chunker.MetaProof, error)
	// Finish makes the object complete for good: every chunk is there.
	Finish() error
	// Reopen takes Finish back, because a chunk was found damaged.
	Reopen() error
}

// Kept is what a Keeper holds of an object, before any of it is checked.
type Kept uint8

const (
	// Nothing is there.
	Nothing Kept = iota
	// Some proofs and chunks may be there: each is checked before it counts.
	Some
	// All was there when the object was finished. It counts as there without a
	// look, because every read looks.
	All
)

// Object is the state of one object, shared by all its handles. It is safe for
// concurrent use.
type Object struct {
	id     chunker.ObjectID
	keeper Keeper
	log    *slog.Logger

	// saving serializes what changes the kept proofs and the finished mark.
	saving  sync.Mutex
	unsaved map[int]bool // MetaChunks whose proof the Keeper failed to save

	mu       sync.RWMutex // guards what follows
	tree     *chunker.Tree
	header   chunker.Header
	begun    bool
	kept     Kept // what was there at Begin
	have     nois.Set
	bytes    int64 // of the chunks in have
	complete bool
	changed  chan struct{} // closed at the next change; nil while nobody waits
}

// New returns an object of which nothing is known.
func New(id chunker.ObjectID, k Keeper, log *slog.Logger) *Object {
	return &Object{id: id, keeper: k, log: log}
}

// ID returns the object's name.
func (o *Object) ID() chunker.ObjectID { return o.id }

// Header returns the header once it is known.
func (o *Object) Header() (chunker.Header, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.header, o.begun
}

// Have returns a copy of the set of chunks that are there.
func (o *Object) Have() *nois.Set {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.have.Clone()
}

// Bytes returns how many bytes of content are there.
func (o *Object) Bytes() int64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.bytes
}

// Complete reports whether the object is finished.
func (o *Object) Complete() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.complete
}

// HasProof reports whether the proof of MetaChunk m is known.
func (o *Object) HasProof(m int) bool {
	return o.needTree(m) == nil
}

// Changed returns a channel that is closed at the next change.
func (o *Object) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

// wake tells everybody who waits. The caller holds mu.
func (o *Object) wake() {
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

func (o *Object) contains(i int) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return i >= 0 && o.have.Contains(uint32(i))
}

// errNoChunk is the error for a chunk that is not there.
func (o *Object) errNoChunk(i int) error {
	return fmt.Errorf("chunk %d of %s: %w", i, o.id, transport.ErrNotFound)
}
