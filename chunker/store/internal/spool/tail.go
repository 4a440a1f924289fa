package spool

import (
	"context"
	"io"
	"sync"
)

// tail is the end of a growing run of bytes: how far it has come, how it ended,
// and waiting for either. The zero tail is empty and open.
type tail struct {
	mu      sync.Mutex
	size    int64
	end     error // io.EOF after a good end
	changed chan struct{}
}

// length returns how many bytes there are.
func (t *tail) length() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}

// grow adds n bytes.
func (t *tail) grow(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size += int64(n)
	t.wake()
}

// finish ends the run with err, io.EOF if all is well. The first finish counts; it
// reports whether this was it.
func (t *tail) finish(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end != nil {
		return false
	}
	t.end = err
	t.wake()
	return true
}

// ended returns what ended the run, or nil.
func (t *tail) ended() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}

func (t *tail) wake() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// look returns how things stand at off, and what to wait for when undecided.
func (t *tail) look(off int64) (decided bool, err error, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.end != nil && t.end != io.EOF:
		return true, t.end, nil
	case off < t.size:
		return true, nil, nil
	case t.end != nil:
		return true, t.end, nil
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return false, nil, t.changed
}

// wait blocks until there is a byte at off (nil), or the run ended: io.EOF or the
// fault, which counts even before the last byte. It returns the cause of ctx when that ends first.
func (t *tail) wait(ctx context.Context, off int64) error {
	for {
		decided, err, changed := t.look(off)
		if decided {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
