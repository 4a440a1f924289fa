// Package spool owns what every store's spools have in common: bytes that grow
// while others follow them, and their cutting into an object at the end.
//
// It knows nothing of where the bytes are kept (a Backing does) or budgets.
package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"nt/chunker"
	"nt/chunker/store"
)

// Backing keeps one spool's bytes. Append and Keep are called by one goroutine
// at a time, ReadAt by many.
type Backing interface {
	io.ReaderAt
	// Append keeps all of p, or nothing of it that counts.
	Append(p []byte) error
	// Keep makes the bytes the complete object that t describes.
	Keep(ctx context.Context, t *chunker.Tree) error
	// Drop gives up bytes that Keep did not take; readers may still be at them.
	Drop() error
	// Close comes last: nobody reads any more.
	Close() error
}

// Spool is a store.Spool over a Backing.
type Spool struct {
	back Backing
	tail tail
	ctx  context.Context
	stop func() bool // ends the watch over ctx

	write sync.Mutex // held while writing, committing and discarding
	sum   hash.Hash  // of everything written: what a damaged disk cannot change
	over  bool       // committed or discarded

	mu     sync.Mutex
	users  int // followers, and 1 for the writer until it is over
	closed bool
}

var _ store.Spool = (*Spool)(nil)

// New returns an empty spool that lives no longer than ctx, until it is committed.
func New(ctx context.Context, b Backing) *Spool {
	s := &Spool{back: b, ctx: ctx, sum: sha256.New(), users: 1}
	s.stop = context.AfterFunc(ctx, func() { s.tail.finish(context.Cause(ctx)) })
	return s
}

// Write appends p.
func (s *Spool) Write(p []byte) (int, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.ended(); err != nil {
		return 0, err
	}
	if err := s.back.Append(p); err != nil {
		return 0, fmt.Errorf("spooling: %w", err)
	}
	s.sum.Write(p)
	s.tail.grow(len(p))
	return len(p), nil
}

// ended returns why nothing can be written any more, or nil.
func (s *Spool) ended() error {
	if err := context.Cause(s.ctx); err != nil && !s.over {
		return err
	}
	if err := s.tail.ended(); err == io.EOF {
		return store.ErrClosed
	} else if err != nil {
		return err
	}
	return nil
}

// ReadAt reads what was written so far.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	if !s.enter() {
		return 0, store.ErrClosed
	}
	defer s.leave()
	return s.readAt(p, off)
}

func (s *Spool) readAt(p []byte, off int64) (int, error) {
	left := s.tail.length() - off
	if off < 0 || left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) <= left {
		return s.back.ReadAt(p, off)
	}
	n, err := s.back.ReadAt(p[:left], off)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// Size returns how many bytes were written so far.
func (s *Spool) Size() int64 { return s.tail.length() }

// Wait blocks until there is a byte at off.
func (s *Spool) Wait(ctx context.Context, off int64) error { return s.tail.wait(ctx, off) }

// Commit makes the bytes a complete object.
func (s *Spool) Commit(ctx context.Context) (chunker.Header, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.ended(); err != nil {
		return chunker.Header{}, err
	}
	s.stop()
	s.tail.finish(io.EOF)
	s.over = true
	h, err := s.commit(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("committing a spool of %d bytes: %w", s.Size(), err), s.back.Drop())
	}
	return h, errors.Join(err, s.leave())
}

func (s *Spool) commit(ctx context.Context) (chunker.Header, error) {
	t, err := chunker.Build(untilDone{ctx, io.NewSectionReader(s.back, 0, s.Size())}, s.Size())
	if err != nil {
		return chunker.Header{}, err
	}
	h := t.Header()
	if chunker.Hash(s.sum.Sum(nil)) != h.SHA256 {
		return chunker.Header{}, store.ErrCorrupt
	}
	return h, s.back.Keep(ctx, t)
}

// Discard ends a spool that was not committed.
func (s *Spool) Discard(cause error) error {
	if cause == nil || cause == io.EOF {
		cause = store.ErrDiscarded
	}
	s.tail.finish(cause)
	s.write.Lock()
	defer s.write.Unlock()
	if s.over {
		return nil
	}
	s.over = true
	s.stop()
	return errors.Join(s.back.Drop(), s.leave())
}

// enter counts one more user of the bytes; it fails when the last has gone.
func (s *Spool) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.users++
	return true
}

func (s *Spool) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 || s.closed {
		return nil
	}
	s.closed = true
	return s.back.Close()
}

// untilDone is a reader that fails once its context has ended.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
