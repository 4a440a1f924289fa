// Package store owns the seam of the verified chunk store: what a store, an
// object of it and a spool can do, and the Reader that streams an object in
// order while it is still being filled.
//
// The law of every store: nothing gets in without proof (transport.Sink is the
// one door, and a Spool is cut and hashed by the store itself), and nothing gets
// out without being hashed again on that very read. So no bad disk, no foreign
// process and no crash can make a store hand out a wrong byte; they can only
// make it lose chunks, which may be fetched again.
//
// It knows no URL, no HTTP and no peer. Implementations: store/memory and
// store/disk; storetest holds the suite both must pass.
package store

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"

	"nt/chunker"
	"nt/transport"
)

// Store holds objects, whole or in part, within a budget of bytes. It is safe
// for concurrent use; a disk store's directory may be shared by processes.
type Store interface {
	// Source serves what is there: its Open is OpenObject.
	transport.Source
	// OpenObject opens an object that is there, whole or in part, for reading;
	// it wraps transport.ErrNotFound when there is nothing. Until Close the
	// object is not evicted.
	OpenObject(id chunker.ObjectID) (Object, error)
	// Create opens an object for filling; one that is there, whole or in part,
	// is opened as it is. An object of which nothing was accepted leaves no trace.
	Create(id chunker.ObjectID) (Object, error)
	// Spool opens a place for bytes whose name is not known yet, such as an
	// origin's body. The context bounds the spool's life: when it ends before
	// Commit, writing and waiting fail with its cause. Always call Discard in
	// the end; after Commit it does nothing.
	Spool(ctx context.Context) (Spool, error)
	// Remove deletes an object. It wraps transport.ErrNotFound when it is not
	// there and ErrInUse while somebody has it open. A pin does not hinder it.
	Remove(id chunker.ObjectID) error
	// List names every object, in no order. What it says of an object that
	// nobody has open is a quick estimate in one point: Info.Have of a partial one.
	List() iter.Seq[Info]
	// Usage returns the bytes in use, spools included, and the budget; 0 is no budget.
	Usage() (used, budget int64)
	// Close makes every later call fail. Objects and spools that are open stay
	// usable until they are closed themselves.
	Close() error
}

// Object is one object of a store. It is safe for concurrent use. After Close
// its methods that return an error wrap ErrClosed.
type Object interface {
	transport.Object
	transport.Sink
	// ID is the object's name.
	ID() chunker.ObjectID
	// Complete reports whether every chunk is there and, on disk, safely so.
	Complete() bool
	// Wait blocks until chunk i is there. It returns the context's cause when
	// that ends first, and an error at once for a chunk the object does not have.
	Wait(ctx context.Context, chunk int) error
	// Changed returns a channel that is closed at the next change of the
	// header, of Have or of Complete. Get it before looking.
	Changed() <-chan struct{}
}

// RunReader is what an Object may be too: cheaper to read in order.
type RunReader interface {
	// ReadRun is ReadChunk for chunk i and those that follow it and are there, a
	// few at a time: at least one chunk and at most 64 KiB, each hashed on this read.
	ReadRun(i int, buf []byte) ([]byte, error)
}

// Spool takes bytes of which nothing is known yet. One goroutine writes; any
// number may read what was written so far. It is safe for concurrent use otherwise.
type Spool interface {
	// Write appends. It wraps ErrBudget when the store cannot make room and
	// ErrNoSpace when the disk is full; the spool then holds what it held before.
	io.Writer
	// ReadAt reads what was written so far and never waits; io.EOF at its end.
	io.ReaderAt
	// Size returns how many bytes were written so far.
	Size() int64
	// Wait blocks until there is a byte at offset off and returns nil, or io.EOF
	// once the spool was committed with at most off bytes, or what ended it.
	Wait(ctx context.Context, off int64) error
	// Follow returns a reader from offset off on that waits for more bytes and
	// ends with io.EOF at Commit, or with what ended the spool. It outlives
	// Commit and Discard; Close it.
	Follow(ctx context.Context, off int64) (io.ReadCloser, error)
	// Commit ends the writing, cuts and hashes the bytes and makes them a
	// complete object of the store. Bytes that changed since they were written
	// give ErrCorrupt. After an error the spool is discarded.
	Commit(ctx context.Context) (chunker.Header, error)
	// Discard ends a spool that was not committed: followers get cause, or
	// ErrDiscarded if cause is nil. What was written is freed.
	Discard(cause error) error
}

// Info describes one object of a store.
type Info struct {
	ID       chunker.ObjectID
	Size     int64 // bytes of the whole object
	Have     int64 // bytes of it that are there
	Complete bool
	LastUsed time.Time // when it was last opened or closed; a disk store keeps it to about a minute
	Pinned   bool
}

// Options is what every store is opened with. The zero Options is usable.
type Options struct {
	// Budget is how many bytes the store may use, hash trees and a flat
	// charge per object included (see Cost); 0 is no limit.
	Budget int64
	// Pinned reports the objects that must not be evicted; nil pins nothing. It
	// is called with the store's lock held and must not call the store.
	Pinned func(chunker.ObjectID) bool
	// Now is the clock behind Info.LastUsed; nil is time.Now.
	Now func() time.Time
	// Log hears of damage that was found and of objects evicted; nil is silence.
	Log *slog.Logger
}

// WithDefaults returns o with every nil replaced.
func (o Options) WithDefaults() Options {
	if o.Pinned == nil {
		o.Pinned = func(chunker.ObjectID) bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// objectOverhead is what Cost charges for an object however small, in bytes: its
// header, its directory entries, its place in the index.
const objectOverhead = 1 << 10

// Cost returns what an object is charged against the budget before its first
// chunk: the flat charge and its hash tree. Its chunks are charged as they come.
func Cost(h chunker.Header) int64 {
	return objectOverhead + 2*chunker.HashSize*int64(h.NumChunks())
}

// CheckFits returns ErrBudget for an object that can never fit the budget.
func (o Options) CheckFits(h chunker.Header) error {
	if o.Budget > 0 && Cost(h)+h.Size > o.Budget {
		return fmt.Errorf("object of %d bytes, budget of %d: %w", h.Size, o.Budget, ErrBudget)
	}
	return nil
}
