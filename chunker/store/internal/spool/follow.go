package spool

import (
	"context"
	"io"
	"sync"

	"nt/chunker/store"
)

// follower reads a spool in order and waits at its end.
type follower struct {
	ctx   context.Context
	spool *Spool
	off   int64
	once  sync.Once
	err   error // of the Close
}

// Follow returns a reader from off on.
func (s *Spool) Follow(ctx context.Context, off int64) (io.ReadCloser, error) {
	if !s.enter() {
		return nil, store.ErrClosed
	}
	return &follower{ctx: ctx, spool: s, off: max(off, 0)}, nil
}

// Read waits for at least one byte.
func (f *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := f.spool.Wait(f.ctx, f.off); err != nil {
		return 0, err
	}
	n, err := f.spool.readAt(p, f.off)
	f.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Close ends the following.
func (f *follower) Close() error {
	f.once.Do(func() { f.err = f.spool.leave() })
	return f.err
}
